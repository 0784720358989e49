package demo

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"guanxi/internal/money"
	"guanxi/order"
)

//go:embed sample/goods.json
var sampleGoods []byte

//go:embed sample/hosts.json
var sampleHosts []byte

//go:embed sample/shoppers.json
var sampleShoppers []byte

//go:embed sample/campaigns.json
var sampleCampaigns []byte

// sample is what the brand and its people are, before anybody has done anything.
type sample struct {
	goods     []sampleProduct
	hosts     []sampleHost
	shoppers  []string // nicknames
	campaigns []sampleCampaign
}

type sampleProduct struct {
	Code, Category, Name, Supplier, Words string
	SKUs                                  []sampleSKU
}

type sampleSKU struct {
	Code, Name  string
	Price, Cost money.Fen
	Stock       int64
}

type sampleHost struct {
	Nickname, Words string
	Communities     []sampleCommunity
}

type sampleCommunity struct {
	Code, Name, Words, Notice string
	Shoppers                  int // who are at home here
	Points                    []struct{ Name, Address, Phone, Hours string }
	Picks                     []struct{ Product, Reason string }
}

// story is how a sample campaign ends.
type story string

const (
	storyGood      story = ""
	storyFails     story = "fails"     // misses its minimum
	storyCancelled story = "cancelled" // by the host
	storyDraft     story = "draft"     // never published
)

// sampleCampaign is one group buy. A past one has Day (today is 0) and Hour (Shanghai); one that is open now has
// Ago and Left in hours; one that comes has Tomorrow.
type sampleCampaign struct {
	Code                    string // by which the seed names it; most have none
	Community, Title, Words string
	Day                     int
	Hour, Hours             float64
	Ago, Left               float64
	Tomorrow                bool
	MinSeats                int64 `json:"min_seats"`
	Buyers                  int
	Single                  bool // everybody takes one unit
	Story                   story
	Reason                  string
	Ship                    order.ShipKind
	Scene                   string
	Items                   []struct {
		SKU       string
		Price     money.Fen
		PerPerson int64 `json:"per_person"`
	}
}

func loadSample() (*sample, error) {
	s := &sample{}
	for _, part := range []struct {
		raw  []byte
		into any
	}{
		{sampleGoods, &s.goods}, {sampleHosts, &s.hosts}, {sampleShoppers, &s.shoppers}, {sampleCampaigns, &s.campaigns},
	} {
		if err := json.Unmarshal(part.raw, part.into); err != nil {
			return nil, fmt.Errorf("demo: sample data: %w", err)
		}
	}
	return s, nil
}
