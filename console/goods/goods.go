// Package goods is the room of the console where the brand keeps its products and their stock.
package goods

import (
	"context"

	"guanxi/catalog"
	"guanxi/console/room"
	"guanxi/internal/docstore"
	"guanxi/internal/edge"
	"guanxi/internal/money"
	"guanxi/staff"
)

// Catalog is the products and their stock; *catalog.Service satisfies it.
type Catalog interface {
	List(ctx context.Context, category string, page catalog.Paging) (docstore.Page[catalog.Product], error)
	Product(ctx context.Context, product string) (*catalog.Product, error)
	AddProduct(ctx context.Context, in catalog.ProductInput) (*catalog.Product, error)
	EditProduct(ctx context.Context, product string, in catalog.ProductInput) (*catalog.Product, error)
	Offer(ctx context.Context, product string, state catalog.State) (*catalog.Product, error)
	SKU(ctx context.Context, sku string) (catalog.SKUInfo, error)
	Levels(ctx context.Context, skus []string) (map[string]catalog.Level, error)
	Receive(ctx context.Context, in catalog.StockIn) error
	WriteOff(ctx context.Context, out catalog.StockIn) error
}

type desk struct {
	room    *room.Room
	catalog Catalog
}

// ProductPath names a product.
type ProductPath struct {
	Product string `path:"product" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9:_.@|-]+$"`
}

// Subject is the thing's name in the audit log.
func (p ProductPath) Subject() string { return "product/" + p.Product }

// ProductRules is what a product says.
type ProductRules struct {
	Name     string    `json:"name" minLength:"1" maxLength:"240"`
	Words    string    `json:"words,omitempty" maxLength:"8000" doc:"卖点"`
	Category string    `json:"category" minLength:"1" maxLength:"480"`
	Supplier string    `json:"supplier,omitempty" maxLength:"480"`
	Image    string    `json:"image,omitempty" maxLength:"2000" doc:"图片网址"`
	Off      bool      `json:"off_sale,omitempty" doc:"暂不销售"`
	SKUs     []SKURule `json:"skus" minItems:"1" maxItems:"100" nullable:"false"`
}

// SKURule is one variant.
type SKURule struct {
	ID    string    `json:"id,omitempty" maxLength:"90" doc:"修改时用来指明已有的规格；不填则按编码匹配，再没有就是新规格"`
	Code  string    `json:"code,omitempty" maxLength:"240" doc:"品牌自己的编码，同一商品内不重复"`
	Name  string    `json:"name" minLength:"1" maxLength:"240"`
	Price money.Fen `json:"price_fen" minimum:"1" maximum:"1000000000000"`
	Floor money.Fen `json:"floor_fen,omitempty" minimum:"0" maximum:"1000000000000" doc:"团长可定的最低价；不填则不得低于售价"`
	Cost  money.Fen `json:"cost_fen" minimum:"0" maximum:"1000000000000" doc:"成本，佣金按毛利封顶时用"`
}

// SKUView is a variant with its stock.
type SKUView struct {
	ID    string    `json:"id"`
	Code  string    `json:"code,omitempty"`
	Name  string    `json:"name"`
	Price money.Fen `json:"price_fen"`
	Floor money.Fen `json:"floor_fen"`
	Cost  money.Fen `json:"cost_fen"`
	Gone  bool      `json:"gone,omitempty" doc:"已不再销售的规格"`
	Stock StockView `json:"stock"`
}

// ProductView is a product.
type ProductView struct {
	ID       string        `json:"id"`
	Name     string        `json:"name"`
	Words    string        `json:"words,omitempty"`
	Category string        `json:"category"`
	Supplier string        `json:"supplier,omitempty"`
	Image    string        `json:"image,omitempty"`
	State    catalog.State `json:"state" enum:"on,off"`
	SKUs     []SKUView     `json:"skus"`
}

type productOutput struct{ Body ProductView }

type productsInput struct {
	edge.Paged
	Category string `query:"category" maxLength:"120"`
}

type productsOutput struct {
	Body struct {
		Products []ProductView `json:"products" doc:"从新到旧"`
		Next     string        `json:"next,omitempty"`
	}
}

type addInput struct {
	edge.Keyed
	Body ProductRules
}

type editInput struct {
	edge.Keyed
	ProductPath
	Body ProductRules
}

type offerInput struct {
	edge.Keyed
	ProductPath
}

const tag = "商品与库存"

// Declare puts the room's operations on the router.
func Declare(r *room.Room, c Catalog) {
	g := &desk{r, c}
	room.Read(r, edge.Operation{
		ID: "goods", Method: "GET", Path: "/console/api/products", Tag: tag, Summary: "商品，含成本与库存", Permission: string(staff.GoodsRead),
	}, g.list)
	room.Read(r, edge.Operation{
		ID: "good", Method: "GET", Path: "/console/api/products/{product}", Tag: tag, Summary: "一个商品", Permission: string(staff.GoodsRead),
	}, func(ctx context.Context, in *ProductPath) (*productOutput, error) {
		p, err := c.Product(ctx, in.Product)
		return g.show(ctx, p, err)
	})
	room.Write(r, edge.Operation{
		ID: "add-good", Method: "POST", Path: "/console/api/products", Tag: tag, Summary: "新增商品", Permission: string(staff.GoodsWrite),
		Status: 201, MaxBody: 1 << 20,
	}, func(ctx context.Context, in *addInput, d *room.Deed) (*productOutput, error) {
		made := in.Body.input()
		made.Key = edge.Caller(ctx) + "/" + in.Key
		p, err := c.AddProduct(ctx, made)
		if err == nil {
			d.Say(ProductPath{p.ID}.Subject(), "", digest(p))
		}
		return g.show(ctx, p, err)
	})
	room.Write(r, edge.Operation{
		ID: "edit-good", Method: "PUT", Path: "/console/api/products/{product}", Tag: tag, Permission: string(staff.GoodsWrite), MaxBody: 1 << 20,
		Summary: "修改商品与规格；没有列出的规格不再销售，已下的订单不变",
	}, func(ctx context.Context, in *editInput, d *room.Deed) (*productOutput, error) {
		return g.change(ctx, in.ProductPath, d, func() (*catalog.Product, error) { return c.EditProduct(ctx, in.Product, in.Body.input()) })
	})
	for _, one := range []struct {
		id, summary string
		state       catalog.State
	}{
		{"put-on-sale", "上架", catalog.OnSale},
		{"take-off-sale", "下架：不能再发起新的销售，已开始的继续完成", catalog.OffSale},
	} {
		room.Write(r, edge.Operation{
			ID: one.id, Method: "POST", Path: "/console/api/products/{product}/" + one.id, Tag: tag, Summary: one.summary,
			Permission: string(staff.GoodsWrite),
		}, func(ctx context.Context, in *offerInput, d *room.Deed) (*productOutput, error) {
			return g.change(ctx, in.ProductPath, d, func() (*catalog.Product, error) { return c.Offer(ctx, in.Product, one.state) })
		})
	}
	g.declareStock()
}

// change does something to a product and tells the audit log what it was and what it is.
func (g *desk) change(ctx context.Context, path ProductPath, d *room.Deed, do func() (*catalog.Product, error)) (*productOutput, error) {
	was, err := g.catalog.Product(ctx, path.Product)
	if err != nil {
		return nil, err
	}
	before := digest(was)
	p, err := do()
	if err == nil {
		d.Say(path.Subject(), before, digest(p))
	}
	return g.show(ctx, p, err)
}

func (r *ProductRules) input() catalog.ProductInput {
	return catalog.ProductInput{
		Name: r.Name, Words: r.Words, Category: r.Category, Supplier: r.Supplier, Image: r.Image, Off: r.Off,
		SKUs: room.Each(r.SKUs, func(s SKURule) catalog.SKUInput {
			return catalog.SKUInput{ID: s.ID, Code: s.Code, Name: s.Name, Price: s.Price, Floor: s.Floor, Cost: s.Cost}
		}),
	}
}

func (g *desk) list(ctx context.Context, in *productsInput) (*productsOutput, error) {
	page, err := g.catalog.List(ctx, in.Category, catalog.Paging{Limit: in.Limit, After: in.Cursor})
	if err != nil {
		return nil, err
	}
	out := &productsOutput{}
	out.Body.Products, out.Body.Next = make([]ProductView, len(page.Items)), page.Next
	for i, p := range page.Items {
		if out.Body.Products[i], err = g.view(ctx, p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (g *desk) show(ctx context.Context, p *catalog.Product, err error) (*productOutput, error) {
	if err != nil {
		return nil, err
	}
	view, err := g.view(ctx, p)
	return &productOutput{view}, err
}

func (g *desk) view(ctx context.Context, p *catalog.Product) (ProductView, error) {
	levels, err := g.catalog.Levels(ctx, room.Each(p.SKUs, func(s catalog.SKU) string { return s.ID }))
	return ProductView{
		p.ID, p.Name, p.Words, p.Category, p.Supplier, p.Image, p.State,
		room.Each(p.SKUs, func(s catalog.SKU) SKUView {
			return SKUView{s.ID, s.Code, s.Name, s.Price, s.Lowest(), s.Cost, s.Gone, StockView(levels[s.ID])}
		}),
	}, err
}
