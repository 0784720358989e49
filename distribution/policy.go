package distribution

import (
	"regexp"
	"slices"
	"time"
	"unicode/utf8"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

// Mode says which touch wins.
type Mode string

// The modes; the table in the package comment says what each does.
const (
	FirstTouch Mode = "first-touch"
	LastTouch  Mode = "last-touch"
	Permanent  Mode = "permanent"
)

// SelfRule says who is credited when a host buys in their own campaign.
type SelfRule string

// The rules of self-purchase.
const (
	SelfCredited SelfRule = "self"   // the host
	SelfUpline   SelfRule = "upline" // whoever the host is bonded to
	SelfNobody   SelfRule = "nobody"
)

// Policy is the rule in force from a moment on, until the next one starts.
type Policy struct {
	Version        string    // [A-Za-z0-9._-], at most 40
	From           time.Time // start; zero only for the policy of Config
	Mode           Mode
	ValidityDays   int // 1 to 3650; 0 with Permanent
	ProtectionDays int // 0 to ValidityDays; 0 unless LastTouch
	SelfPurchase   SelfRule
	SecondLevel    bool   // credit also whom the credited one is bonded to
	Words          string // for people; at most 500 characters
}

// DefaultPolicy is in force until another is published: the last touch wins, for 30 days, protected for 7; a host's
// own purchase is credited to the host; one level.
func DefaultPolicy() Policy {
	return Policy{Version: "default", Mode: LastTouch, ValidityDays: 30, ProtectionDays: 7, SelfPurchase: SelfCredited}
}

// policyDoc is a stored policy; its id is the version.
type policyDoc struct {
	docstore.Doc   `bson:",inline"`
	From           time.Time `bson:"from"`
	Mode           Mode      `bson:"mode"`
	ValidityDays   int       `bson:"validity_days"`
	ProtectionDays int       `bson:"protection_days"`
	SelfPurchase   SelfRule  `bson:"self_purchase"`
	SecondLevel    bool      `bson:"second_level"`
	Words          string    `bson:"words"`
	PublishedAt    time.Time `bson:"published_at"`
	Recalled       *Recall   `bson:"recalled,omitempty"` // taken back before it started: it rules nothing
}

// Recall is how two people took back a policy that had not started.
type Recall struct {
	At      time.Time `bson:"at"`
	Maker   string    `bson:"maker"`
	Checker string    `bson:"checker"`
	Why     string    `bson:"why"`
}

func (d *policyDoc) policy() Policy {
	return Policy{
		Version: d.ID, From: d.From, Mode: d.Mode, ValidityDays: d.ValidityDays, ProtectionDays: d.ProtectionDays,
		SelfPurchase: d.SelfPurchase, SecondLevel: d.SecondLevel, Words: d.Words,
	}
}

func (p Policy) doc(at time.Time) *policyDoc {
	return &policyDoc{
		Doc: docstore.Doc{ID: p.Version}, From: clock.Milli(p.From), Mode: p.Mode, ValidityDays: p.ValidityDays,
		ProtectionDays: p.ProtectionDays, SelfPurchase: p.SelfPurchase, SecondLevel: p.SecondLevel, Words: p.Words, PublishedAt: at,
	}
}

var versionPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,40}$`)

// check names everything that is wrong with a policy.
func (p Policy) check() error {
	bad, ok := ErrPolicyInvalid, true
	flaw := func(wrong bool, field, why string) {
		if wrong {
			bad, ok = bad.With(field, why), false
		}
	}
	flaw(!versionPattern.MatchString(p.Version), "version", "版本号格式不正确 (malformed version)")
	flaw(!slices.Contains([]Mode{FirstTouch, LastTouch, Permanent}, p.Mode), "mode", "未知的绑定方式 (unknown mode)")
	flaw(!slices.Contains([]SelfRule{SelfCredited, SelfUpline, SelfNobody}, p.SelfPurchase), "self_purchase", "未知的自购规则 (unknown rule)")
	if p.Mode == Permanent {
		flaw(p.ValidityDays != 0, "validity_days", "永久绑定不设有效期 (a permanent bond has no validity)")
	} else {
		flaw(p.ValidityDays < 1 || p.ValidityDays > 3650, "validity_days", "须为 1 到 3650 天 (1 to 3650 days)")
	}
	if p.Mode == LastTouch {
		flaw(p.ProtectionDays < 0 || p.ProtectionDays > p.ValidityDays, "protection_days", "不能超过有效期 (not beyond the validity)")
	} else {
		flaw(p.ProtectionDays != 0, "protection_days", "仅适用于末次触达 (only for last-touch)")
	}
	flaw(!utf8.ValidString(p.Words) || utf8.RuneCountInString(p.Words) > 500, "words", "最多 500 个字 (at most 500 characters)")
	if ok {
		return nil
	}
	return bad
}

func days(n int) time.Duration { return time.Duration(n) * 24 * time.Hour }

// rulebook is every policy, by start, the first being in force since ever.
type rulebook []Policy

// at is the policy in force at a moment.
func (r rulebook) at(t time.Time) Policy {
	n, _ := slices.BinarySearchFunc(r, t, func(p Policy, t time.Time) int {
		if p.From.After(t) {
			return 1
		}
		return -1
	})
	return r[max(0, n-1)]
}
