package commission

import (
	"context"
	"fmt"
	"time"

	"guanxi/commission/internal/book"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/internal/text"
)

// Dispute is a member's doubt about an entry, with the evidence as it stood when the doubt was raised. Staff answers it;
// when the member was right, with a voucher.
type Dispute struct {
	docstore.Doc `bson:",inline"`
	Member       string       `bson:"member"`
	Entry        string       `bson:"entry"`
	Words        string       `bson:"words"` // the member's
	OpenedAt     time.Time    `bson:"opened_at"`
	Sentence     string       `bson:"sentence"` // evidence: what the ledger said
	Evidence     []string     `bson:"evidence"` // and the derivation behind it
	State        DisputeState `bson:"state"`
	By           string       `bson:"by,omitempty"` // who answered
	AnsweredAt   time.Time    `bson:"answered_at,omitempty"`
	Answer       string       `bson:"answer,omitempty"`
	Voucher      string       `bson:"voucher,omitempty"` // what made it good
}

// DisputeState is where a dispute stands.
type DisputeState string

// The states of a dispute.
const (
	DisputeOpen     DisputeState = "open"
	DisputeUpheld   DisputeState = "upheld"   // the member was right
	DisputeDeclined DisputeState = "declined" // the ledger was right
)

// DisputeInput opens a dispute about an entry that concerns the member.
type DisputeInput struct{ Key, Member, Entry, Words string }

// DisputeAnswer ends one.
type DisputeAnswer struct {
	Dispute, By, Words string
	State              DisputeState // DisputeUpheld or DisputeDeclined
	Voucher            string       // "" or the voucher that makes it good
}

const maxWords = 1000 // characters

// OpenDispute stores a member's doubt with the evidence. One entry has one dispute per member: opening it again gives the
// one there is.
// Codes: COM_DISPUTE_INVALID, COM_ENTRY_NOT_FOUND.
func (s *Service) OpenDispute(ctx context.Context, in DisputeInput) (*Dispute, error) {
	in.Words = text.Plain(in.Words)
	if !legible(in.Words, 2, maxWords) {
		return nil, ErrDisputeInvalid.With("words", "请写明疑问，2 到 1000 字 / 2 to 1000 characters")
	}
	x, err := s.Explain(ctx, in.Member, in.Entry)
	if err != nil {
		return nil, err
	}
	d := &Dispute{
		Doc:    docstore.Doc{ID: id.Derive("dispute", in.Member, in.Entry)},
		Member: in.Member, Entry: in.Entry, Words: in.Words, OpenedAt: s.clock.Now(), State: DisputeOpen,
		Sentence: x.Sentence, Evidence: x.Steps,
	}
	if x.NotYet != "" {
		d.Evidence = append(d.Evidence, x.NotYet)
	}
	d.Emit(EventDisputeOpened, DisputeOpened{Dispute: d.ID, Member: d.Member, Entry: d.Entry, At: d.OpenedAt})
	err = s.disputes.Insert(ctx, d)
	if docstore.Exists(err) {
		d, err = s.disputes.Get(ctx, d.ID)
	}
	return d, wrap("open dispute", err)
}

// AnswerDispute ends a dispute. The same answer again is harmless.
// Codes: COM_DISPUTE_INVALID, COM_DISPUTE_NOT_FOUND, COM_DISPUTE_DECIDED, COM_VOUCHER_NOT_FOUND.
func (s *Service) AnswerDispute(ctx context.Context, a DisputeAnswer) (*Dispute, error) {
	a.Words = text.Plain(a.Words)
	if !legible(a.Words, 2, maxWords) || !book.Named(a.By) || a.State != DisputeUpheld && a.State != DisputeDeclined {
		return nil, ErrDisputeInvalid.With("words", "请写明答复与结论 / words and a verdict are needed")
	}
	if a.Voucher != "" {
		if _, err := s.Voucher(ctx, a.Voucher); err != nil {
			return nil, fmt.Errorf("answer dispute: %w", err)
		}
	}
	d, err := s.disputes.Update(ctx, a.Dispute, func(d *Dispute) error {
		if d.State != DisputeOpen {
			if d.State == a.State && d.Answer == a.Words && d.Voucher == a.Voucher {
				return nil
			}
			return ErrDisputeDecided
		}
		d.State, d.Answer, d.Voucher, d.By, d.AnsweredAt = a.State, a.Words, a.Voucher, a.By, s.clock.Now()
		d.Emit(EventDisputeAnswered, DisputeAnswered{
			Dispute: d.ID, Member: d.Member, Entry: d.Entry, Upheld: d.State == DisputeUpheld, At: d.AnsweredAt,
		})
		return nil
	})
	if book.Missing(err) || book.NoID(err) {
		return nil, ErrDisputeMissing
	}
	return d, wrap("answer dispute", err)
}

// Dispute gives one dispute. Code: COM_DISPUTE_NOT_FOUND.
func (s *Service) Dispute(ctx context.Context, dispute string) (*Dispute, error) {
	d, err := s.disputes.Get(ctx, dispute)
	if book.Missing(err) || book.NoID(err) {
		return nil, ErrDisputeMissing
	}
	return d, wrap("dispute", err)
}

// Disputes lists disputes of a state, newest first. Code: COM_PAGE_INVALID.
func (s *Service) Disputes(ctx context.Context, state DisputeState, page docstore.Paging) (docstore.Page[Dispute], error) {
	list, err := s.disputes.List(ctx, docstore.By("state", string(state)).Newest(), page)
	return list, book.PageFault("disputes", err)
}

// DisputesOf lists a member's disputes. Codes: COM_MEMBER_INVALID, COM_PAGE_INVALID.
func (s *Service) DisputesOf(ctx context.Context, member string, page docstore.Paging) (docstore.Page[Dispute], error) {
	if !book.Named(member) {
		return docstore.Page[Dispute]{}, ErrMemberInvalid
	}
	list, err := s.disputes.List(ctx, docstore.By("member", member).Newest(), page)
	return list, book.PageFault("disputes", err)
}

// legible tells whether a person could have written the words: so many characters that can be seen, and nothing hidden
// among them.
func legible(words string, least, most int) bool {
	_, ok := text.Words(words, least, most)
	return ok
}
