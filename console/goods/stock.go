package goods

import (
	"context"
	"encoding/json"
	"strconv"

	"guanxi/catalog"
	"guanxi/console/room"
	"guanxi/internal/edge"
	"guanxi/internal/id"
	"guanxi/staff"
)

// StockView is how the stock of a variant stands.
type StockView struct {
	Free int64 `json:"free" doc:"可下单的件数"`
	Held int64 `json:"held" doc:"未付款订单占用的，及刚付款尚未结转的"`
	Sold int64 `json:"out" doc:"已售出与已出库的"`
	In   int64 `json:"in" doc:"累计入库与退回的；等于前三项之和"`
}

// SKUPath names a variant.
type SKUPath struct {
	SKU string `path:"sku" minLength:"1" maxLength:"90" pattern:"^[A-Za-z0-9:_.@|-]+$"`
}

// Subject is the thing's name in the audit log.
func (p SKUPath) Subject() string { return "sku/" + p.SKU }

type stockOutput struct {
	Body struct {
		SKU  string `json:"sku"`
		Name string `json:"name"`
		StockView
	}
}

type stockInput struct {
	edge.Keyed
	SKUPath
	Body struct {
		Units  int64  `json:"units" minimum:"1" maximum:"1000000"`
		Reason string `json:"reason" minLength:"2" maxLength:"200" doc:"如送货单号、盘点结果"`
	}
}

func (g *desk) declareStock() {
	room.Read(g.room, edge.Operation{
		ID: "stock", Method: "GET", Path: "/console/api/skus/{sku}/stock", Tag: tag, Summary: "一个规格的库存", Permission: string(staff.GoodsRead),
	}, func(ctx context.Context, in *SKUPath) (*stockOutput, error) { return g.stock(ctx, in.SKU) })
	for _, one := range []struct {
		id, summary, sign string
		move              func(context.Context, catalog.StockIn) error
	}{
		{"intake", "入库：在现有库存上增加", "+", g.catalog.Receive},
		{"write-off", "出库：损坏、丢失或盘亏；只减可下单的，不够就一件也不减", "-", g.catalog.WriteOff},
	} {
		room.Write(g.room, edge.Operation{
			ID: one.id, Method: "POST", Path: "/console/api/skus/{sku}/" + one.id, Tag: tag, Summary: one.summary, Permission: string(staff.StockWrite),
		}, func(ctx context.Context, in *stockInput, d *room.Deed) (*stockOutput, error) {
			d.After = one.sign + strconv.FormatInt(in.Body.Units, 10) + " " + in.Body.Reason
			err := one.move(ctx, catalog.StockIn{Ref: id.Derive("console", edge.Caller(ctx), in.Key), SKU: in.SKU, Units: in.Body.Units})
			if err != nil {
				return nil, err
			}
			return g.stock(ctx, in.SKU)
		})
	}
}

func (g *desk) stock(ctx context.Context, sku string) (*stockOutput, error) {
	info, err := g.catalog.SKU(ctx, sku)
	if err != nil {
		return nil, err
	}
	levels, err := g.catalog.Levels(ctx, []string{sku})
	out := &stockOutput{}
	out.Body.SKU, out.Body.Name, out.Body.StockView = sku, info.Name, StockView(levels[sku])
	return out, err
}

// digest stands for a product in the audit log: its name, state and prices, cut to what a line of it holds.
func digest(p *catalog.Product) string {
	raw, err := json.Marshal(struct {
		Name, Words, Category, Supplier, Image string
		SKUs                                   []catalog.SKU
	}{p.Name, p.Words, p.Category, p.Supplier, p.Image, p.SKUs})
	if err != nil {
		return ""
	}
	return string(p.State) + " " + strconv.Itoa(len(p.SKUs)) + " skus " + staff.Digest(raw)
}
