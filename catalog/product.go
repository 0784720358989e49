package catalog

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"guanxi/internal/docstore"
	"guanxi/internal/fault"
	"guanxi/internal/id"
	"guanxi/internal/money"
	"guanxi/internal/text"
)

// State says whether a product may be offered.
type State string

// The states of a product.
const (
	OnSale  State = "on"
	OffSale State = "off"
)

// Limits of a product. Texts are counted in runes.
const (
	maxName  = 60
	maxWords = 2000
	maxText  = 120
	maxSKUs  = 100
	maxImage = 500
)

// Product is what a brand sells, in one or more variants.
type Product struct {
	docstore.Doc `bson:",inline"`
	Name         string    `bson:"name"`
	Words        string    `bson:"words,omitempty"` // selling text
	Category     string    `bson:"category"`
	Supplier     string    `bson:"supplier,omitempty"`
	Image        string    `bson:"image,omitempty"` // URL
	State        State     `bson:"state"`
	SKUs         []SKU     `bson:"skus"`
	AddedAt      time.Time `bson:"added_at"`
	MadeFrom     string    `bson:"made_from"` // hash of the input that added it: the same key must bring the same
}

// SKU is one variant. Its ID is "<product>-<number>", never used for another variant, so a SKU's product is
// found without an index.
type SKU struct {
	ID    string    `bson:"id"`
	Code  string    `bson:"code,omitempty"` // the brand's own code; unique within the product
	Name  string    `bson:"name"`
	Price money.Fen `bson:"price"`
	Floor money.Fen `bson:"floor,omitempty"` // the lowest price a host may ask; 0 = Price
	Cost  money.Fen `bson:"cost"`            // never shown to members
	Gone  bool      `bson:"gone,omitempty"`
}

// SKUInfo is a SKU together with what one must know of its product.
type SKUInfo struct {
	SKU, Product, Name string // Name is the product's and the variant's
	Category, Image    string
	Price, Cost        money.Fen
	Floor              money.Fen // the lowest price a host may ask; never 0
	OnSale             bool
}

// ProductInput is what makes or changes a product.
type ProductInput struct {
	Key      string // of the caller; the same key is the same product
	Name     string // 1–60
	Words    string // at most 2,000
	Category string // 1–120
	Supplier string // at most 120
	Image    string // http(s) URL or a path beginning with /; at most 500
	Off      bool   // not offered for now
	SKUs     []SKUInput
}

// SKUInput is one variant. An edit finds the variant by ID, or by Code when there is no ID; others are new.
type SKUInput struct {
	ID, Code, Name string
	Price, Cost    money.Fen // price 1..money.Max, cost 0..money.Max
	Floor          money.Fen // the lowest price a host may ask, 1..Price; 0 = Price: a host may not go below it
}

func (in *ProductInput) check() error {
	bad := ErrProductInvalid
	wrong := func(name, why string) { bad = bad.With(name, why) }
	for _, one := range []struct {
		name        string
		value       *string
		least, most int
	}{
		{"name", &in.Name, 1, maxName},
		{"words", &in.Words, 0, maxWords},
		{"category", &in.Category, 1, maxText},
		{"supplier", &in.Supplier, 0, maxText},
		{"image", &in.Image, 0, maxImage},
	} {
		var ok bool
		if *one.value, ok = text.Words(*one.value, one.least, one.most); !ok {
			wrong(one.name, "长度或字符有误 (length or characters)")
		}
	}
	if in.Image != "" && !strings.HasPrefix(in.Image, "/") && !strings.HasPrefix(in.Image, "https://") &&
		!strings.HasPrefix(in.Image, "http://") {
		wrong("image", "须为网址 (must be a URL)")
	}
	if len(in.SKUs) < 1 || len(in.SKUs) > maxSKUs {
		wrong("skus", "须有 1 至 100 个规格 (1 to 100 variants)")
		return bad
	}
	codes := map[string]bool{}
	in.SKUs = slices.Clone(in.SKUs)
	for i := range in.SKUs {
		sku := &in.SKUs[i]
		field := "skus[" + strconv.Itoa(i) + "]."
		checkSKU(sku, field, wrong)
		if sku.Code != "" && codes[sku.Code] {
			wrong(field+"code", "编码重复 (code used twice)")
		}
		codes[sku.Code] = true
	}
	return asError(bad)
}

func checkSKU(sku *SKUInput, field string, wrong func(name, why string)) {
	var ok bool
	if sku.Name, ok = text.Line(sku.Name, 1, maxName); !ok {
		wrong(field+"name", "长度或字符有误 (length or characters)")
	}
	if sku.Code, ok = text.Line(sku.Code, 0, maxName); !ok {
		wrong(field+"code", "长度或字符有误 (length or characters)")
	}
	if sku.Price < 1 || sku.Price > money.Max {
		wrong(field+"price", "价格超出范围 (price out of range)")
	}
	if sku.Cost < 0 || sku.Cost > money.Max {
		wrong(field+"cost", "成本超出范围 (cost out of range)")
	}
	if sku.Floor < 0 || sku.Floor > sku.Price {
		wrong(field+"floor", "底价须在 0 与售价之间 (between 0 and the price)")
	}
}

// asError is nil for a fault that names no field.
func asError(f *fault.Fault) error {
	if len(f.Fields) == 0 {
		return nil
	}
	return f
}

// plain refuses what has no place in a text: invalid UTF-8 and control characters but line breaks and tabs.
func plain(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' || r == 0x7f
	}) < 0
}

func (in *ProductInput) hash() string {
	parts := []string{in.Name, in.Words, in.Category, in.Supplier, in.Image, strconv.FormatBool(in.Off)}
	for _, sku := range in.SKUs {
		parts = append(parts, sku.ID, sku.Code, sku.Name,
			strconv.FormatInt(int64(sku.Price), 10), strconv.FormatInt(int64(sku.Cost), 10))
		if sku.Floor > 0 { // products added before there were floors keep their hash
			parts = append(parts, "floor", strconv.FormatInt(int64(sku.Floor), 10))
		}
	}
	return id.Derive(parts...)
}

// fill puts a checked input on the product. Variants that the input leaves out are kept as gone: campaigns and
// orders still name them.
func (p *Product) fill(in *ProductInput) error {
	p.Name, p.Words, p.Category, p.Supplier, p.Image = in.Name, in.Words, in.Category, in.Supplier, in.Image
	p.State = OnSale
	if in.Off {
		p.State = OffSale
	}
	for i := range p.SKUs {
		p.SKUs[i].Gone = true
	}
	for i, sku := range in.SKUs {
		at := p.place(sku)
		if at < 0 && sku.ID != "" {
			return ErrProductInvalid.With("skus["+strconv.Itoa(i)+"].id", "不属于该商品 (not a variant of this product)")
		}
		if at < 0 {
			if len(p.SKUs) >= 2*maxSKUs {
				return ErrProductInvalid.With("skus", "历史规格过多 (too many variants over time)")
			}
			at = len(p.SKUs)
			p.SKUs = append(p.SKUs, SKU{ID: p.ID + "-" + strconv.Itoa(at+1)})
		}
		p.SKUs[at] = SKU{
			ID: p.SKUs[at].ID, Code: sku.Code, Name: sku.Name, Price: sku.Price, Floor: sku.Floor, Cost: sku.Cost,
		}
	}
	return nil
}

func (p *Product) place(in SKUInput) int {
	for i, sku := range p.SKUs {
		if in.ID == sku.ID && in.ID != "" || in.ID == "" && in.Code != "" && in.Code == sku.Code {
			return i
		}
	}
	return -1
}

// info is what others may know of a variant.
func (p *Product) info(sku SKU) SKUInfo {
	name := p.Name
	if sku.Name != p.Name {
		name += " " + sku.Name
	}
	return SKUInfo{
		SKU: sku.ID, Product: p.ID, Name: name, Category: p.Category, Image: p.Image,
		Price: sku.Price, Cost: sku.Cost, Floor: sku.Lowest(), OnSale: p.State == OnSale && !sku.Gone,
	}
}

// Lowest is the lowest price a host may ask.
func (s SKU) Lowest() money.Fen {
	if s.Floor > 0 {
		return s.Floor
	}
	return s.Price
}

// productOf is the product a SKU id belongs to; "" for an id of another shape.
func productOf(sku string) string {
	at := strings.LastIndexByte(sku, '-')
	if at < 0 {
		return ""
	}
	return sku[:at]
}
