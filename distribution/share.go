package distribution

import (
	"time"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// Kind is what a share shows.
type Kind string

// The kinds of share.
const (
	KindCampaign  Kind = "campaign"
	KindCommunity Kind = "community"
	KindProduct   Kind = "product"
)

// Share is one link a member forwards. Its id is the scene of its mini-program code: 24 of the 32 characters.
type Share struct {
	docstore.Doc `bson:",inline"`
	Sharer       string    `bson:"sharer"`
	Kind         Kind      `bson:"kind"`
	Target       string    `bson:"target"`              // id of the campaign, community or product
	Community    string    `bson:"community,omitempty"` // where the opener will belong
	Host         string    `bson:"host,omitempty"`
	At           time.Time `bson:"at"`
}

// ShareInput makes a share.
type ShareInput struct {
	Sharer    string
	Kind      Kind
	Target    string
	Community string // may be empty
	Host      string // may be empty
	Key       string // idempotency: same sharer and key, same share. Empty: one share for one sharer and target.
}

func (in ShareInput) check() error {
	bad, ok := ErrInvalid, true
	flaw := func(wrong bool, field, why string) {
		if wrong {
			bad, ok = bad.With(field, why), false
		}
	}
	const notID = "无法识别 (not an id)"
	flaw(!isID(in.Sharer), "sharer", notID)
	flaw(in.Kind != KindCampaign && in.Kind != KindCommunity && in.Kind != KindProduct, "kind", "未知的分享类型 (unknown kind)")
	flaw(!isID(in.Target), "target", notID)
	flaw(in.Community != "" && !isID(in.Community), "community", notID)
	flaw(in.Host != "" && !isID(in.Host), "host", notID)
	flaw(in.Key != "" && !id.ValidKey(in.Key), "key", "最多 80 个字符 (at most 80 characters)")
	if ok {
		return nil
	}
	return bad
}

func (in ShareInput) share(at time.Time) *Share {
	shareID := id.Derive("share", in.Sharer, in.Key)
	if in.Key == "" {
		shareID = id.Derive("share of", in.Sharer, string(in.Kind), in.Target, in.Community)
	}
	return &Share{
		Doc: docstore.Doc{ID: shareID}, Sharer: in.Sharer, Kind: in.Kind, Target: in.Target, Community: in.Community,
		Host: in.Host, At: at,
	}
}

func (s *Share) same(o *Share) bool {
	return s.Sharer == o.Sharer && s.Kind == o.Kind && s.Target == o.Target && s.Community == o.Community && s.Host == o.Host
}

// Touch is one opening of a share by somebody on one business day. It carries what the share said, so that a
// repeated opening needs no other document.
type Touch struct {
	docstore.Doc `bson:",inline"`
	Share        string    `bson:"share"`
	Sharer       string    `bson:"sharer"`
	Visitor      string    `bson:"visitor"`
	Kind         Kind      `bson:"kind"`
	Target       string    `bson:"target"`
	Community    string    `bson:"community,omitempty"`
	Host         string    `bson:"host,omitempty"`
	Scene        int       `bson:"scene"` // WeChat's scene number: 1007 chat, 1008 group, 1047 code
	Self         bool      `bson:"self"`  // the sharer's own opening: recorded, never bonds
	At           time.Time `bson:"at"`
}

func touchID(share, visitor string, at time.Time) string {
	return id.Derive("touch", share, visitor, clock.Day(at))
}

func (t *Touch) share() Share {
	return Share{
		Doc: docstore.Doc{ID: t.Share}, Sharer: t.Sharer, Kind: t.Kind, Target: t.Target, Community: t.Community, Host: t.Host,
	}
}

func (t *Touch) fact() Fact {
	return Fact{ID: t.ID, At: t.At, By: t.Sharer, Share: t.Share}
}

func isID(s string) bool { return id.Valid(s) && len(s) <= 100 }
