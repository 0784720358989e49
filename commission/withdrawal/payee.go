package withdrawal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"guanxi/commission/tax"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/internal/text"
)

// Payee is what the tax office and the platform must know of a member. Id = member.
type Payee struct {
	docstore.Doc `bson:",inline"`
	Kind         tax.Kind           `bson:"kind"`
	Kinds        []KindSince        `bson:"kinds,omitempty"` // what they were since when, oldest first
	RealName     docstore.Encrypted `bson:"real_name,omitempty"`
	IDNumber     docstore.Encrypted `bson:"id_number,omitempty"`
	IDKey        string             `bson:"id_key,omitempty"` // keyed hash of IDNumber
	By           string             `bson:"by"`               // who wrote it last: the member or staff
	ChangedAt    time.Time          `bson:"changed_at"`
}

// KindSince is what a payee was from a moment on.
type KindSince struct {
	Kind tax.Kind  `bson:"kind"`
	From time.Time `bson:"from,omitempty"` // zero: from the beginning
	By   string    `bson:"by,omitempty"`
}

// KindAt is what a payee was at a moment; "" when nobody wrote it down, in the time of earlier releases.
func (p *Payee) KindAt(at time.Time) tax.Kind {
	kind := tax.Kind("")
	for _, k := range p.history() {
		if !k.From.After(at) {
			kind = k.Kind
		}
	}
	return kind
}

// history is what is known of the kinds: who has no document is a resident; a document of an earlier release tells
// since its last change only.
func (p *Payee) history() []KindSince {
	switch {
	case len(p.Kinds) > 0:
		return p.Kinds
	case p.Version == 0 || p.Kind == "":
		return []KindSince{{Kind: tax.Resident}}
	}
	return []KindSince{{Kind: p.Kind, From: p.ChangedAt, By: p.By}}
}

// become writes down a kind and since when.
func (p *Payee) become(kind tax.Kind, by string, now time.Time) {
	if p.Kinds = p.history(); p.Kinds[len(p.Kinds)-1].Kind != kind {
		p.Kinds = append(p.Kinds, KindSince{kind, now, by})
	}
	p.Kind, p.By, p.ChangedAt = kind, by, now
}

// PayeeInput are a payee's particulars. What is empty stays as it is; the kind is resident at first.
type PayeeInput struct {
	Member   string
	Kind     tax.Kind
	RealName string
	IDNumber string
	By       string
}

// SetPayee writes a member's particulars; transfers already sent keep theirs. Whether the member may choose the kind is
// the edge's decision. Error: ErrBadPayee.
func (s *Service) SetPayee(ctx context.Context, in PayeeInput) (*Payee, error) {
	name, number := text.Plain(in.RealName), strings.ToUpper(text.Plain(in.IDNumber))
	if in.RealName != "" && name == "" || in.IDNumber != "" && number == "" {
		return nil, ErrBadPayee.With("real_name", "不能只有空白 / cannot be blank")
	}
	in.RealName, in.IDNumber = name, number
	p, err := s.payees.Upsert(ctx, in.Member, func(p *Payee) error {
		in := in
		in.Kind = cmp.Or(in.Kind, p.Kind, tax.Resident)
		in.RealName, in.IDNumber = cmp.Or(in.RealName, p.RealName.Reveal()), cmp.Or(in.IDNumber, p.IDNumber.Reveal())
		if err := in.check(); err != nil {
			return err
		}
		if p.Kind == in.Kind && p.RealName.Reveal() == in.RealName && p.IDNumber.Reveal() == in.IDNumber {
			return nil
		}
		p.become(in.Kind, in.By, s.clock.Now())
		p.RealName, p.IDNumber, p.IDKey = docstore.Encrypted(in.RealName), docstore.Encrypted(in.IDNumber), ""
		if in.IDNumber != "" {
			p.IDKey = s.keys.Lookup("payee-id", in.IDNumber)
		}
		return nil
	})
	if errors.Is(err, docstore.ErrInvalid) {
		return nil, ErrBadPayee.Because(err)
	}
	if err != nil {
		return nil, fmt.Errorf("set payee: %w", err)
	}
	return p, nil
}

// KindInput says what a payee is to the tax office.
type KindInput struct {
	Member string
	Kind   tax.Kind
	By     string // staff id
}

// SetKind changes only what a payee is to the tax office and tells what it was; name and number stay as they are at that
// moment. Transfers already sent keep theirs. Error: ErrBadPayee, also when the number on file cannot be one of that kind.
func (s *Service) SetKind(ctx context.Context, in KindInput) (p *Payee, was tax.Kind, err error) {
	asked := PayeeInput{Member: in.Member, Kind: in.Kind, By: in.By}
	if err := asked.check(); err != nil {
		return nil, "", err
	}
	p, err = s.payees.Upsert(ctx, in.Member, func(p *Payee) error {
		if was = p.Kind; was == "" {
			was = tax.Resident
		}
		if was == in.Kind {
			return errUnchanged
		}
		if number := p.IDNumber.Reveal(); number != "" && !idNumber(number, in.Kind) {
			return ErrBadPayee.With("id_number", "已填的证件号码与此类型不符 / the number on file is not one of this kind")
		}
		p.become(in.Kind, in.By, s.clock.Now())
		return nil
	})
	switch {
	case errors.Is(err, errUnchanged):
		p, err = s.Payee(ctx, in.Member)
		return p, was, err
	case err != nil:
		return nil, was, fmt.Errorf("set payee kind: %w", err)
	}
	return p, was, nil
}

func (in *PayeeInput) check() error {
	bad := ErrBadPayee
	if !memberID(in.Member) || !id.Valid(in.By) {
		bad = bad.With("member", "会员或操作人无效 / the member or the author is not valid")
	}
	if !in.Kind.Valid() {
		bad = bad.With("kind", "未知的收款人类型 / unknown kind of payee")
	}
	if n := len([]rune(in.RealName)); in.RealName != "" && (n < 2 || n > 50 || !lineOK(in.RealName)) {
		bad = bad.With("real_name", "姓名应为 2 到 50 个字 / the name must have 2 to 50 characters")
	}
	if in.IDNumber != "" && !idNumber(in.IDNumber, in.Kind) {
		bad = bad.With("id_number", "证件号码不正确 / the identity number is not valid")
	}
	if len(bad.Fields) > 0 {
		return bad
	}
	return nil
}

func lineOK(name string) bool {
	_, ok := text.Line(name, 2, 50)
	return ok
}

// idNumber checks the 18 characters of a resident's identity number with its check digit (GB 11643); other payees' papers
// are only checked for their shape.
func idNumber(paper string, kind tax.Kind) bool {
	if kind != tax.Resident {
		return len(paper) >= 5 && len(paper) <= 30 && !strings.ContainsFunc(paper, func(r rune) bool {
			return (r < '0' || r > '9') && (r < 'A' || r > 'Z')
		})
	}
	if len(paper) != 18 {
		return false
	}
	weight, sum := 1, 0
	for i := 17; i >= 0; i-- {
		d := int(paper[i]) - '0'
		if i == 17 && paper[i] == 'X' {
			d = 10
		} else if d < 0 || d > 9 {
			return false
		}
		sum, weight = sum+d*weight, weight*2%11
	}
	return sum%11 == 1
}

// Payee gives a member's particulars; somebody who never wrote any is a resident without a name.
func (s *Service) Payee(ctx context.Context, member string) (*Payee, error) {
	p, err := s.payees.Get(ctx, member)
	if errors.Is(err, docstore.ErrNotFound) {
		return &Payee{Doc: docstore.Doc{ID: member}, Kind: tax.Resident}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("payee: %w", err)
	}
	return p, nil
}

// identity is one wallet, identity number or device with the members who used it. Id = <kind>/<keyed hash>.
type identity struct {
	docstore.Doc `bson:",inline"`
	Members      []string `bson:"members"` // at most maxSharers
}

const maxSharers = 20

// shared notes that a member uses an identity and tells whether others do too.
func (s *Service) shared(ctx context.Context, kind, hash, member string) (bool, error) {
	if hash == "" {
		return false, nil
	}
	i, err := s.identities.Upsert(ctx, kind+"/"+hash, func(i *identity) error {
		if !slices.Contains(i.Members, member) && len(i.Members) < maxSharers {
			i.Members = append(i.Members, member)
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("identity: %w", err)
	}
	return len(i.Members) > 1, nil
}

// Sharers lists the members who use the same wallet, identity number or device as a withdrawal, by kind: evidence for the
// reviewer. Kinds without others are left out.
func (s *Service) Sharers(ctx context.Context, w *Withdrawal) (map[string][]string, error) {
	p, err := s.Payee(ctx, w.Member)
	if err != nil {
		return nil, err
	}
	keys := map[string]string{identityPaper: p.IDKey, identityDevice: w.Device, identityWallet: w.Wallet}
	all := map[string][]string{}
	for kind, hash := range keys {
		if hash == "" {
			continue
		}
		i, err := s.identities.Get(ctx, kind+"/"+hash)
		if errors.Is(err, docstore.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("identity: %w", err)
		}
		if len(i.Members) > 1 {
			all[kind] = i.Members
		}
	}
	return all, nil
}

// The kinds of identities.
const (
	identityWallet = "wallet"
	identityPaper  = "paper"
	identityDevice = "device"
)
