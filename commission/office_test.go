package commission

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"guanxi/commission/internal/book"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

func proposal(key string) VoucherInput {
	return VoucherInput{
		Key: id.Derive("key", key), Maker: "clerk", Kind: Adjust, From: Adjustment, To: Available.Of("alice"), Amount: 327, Reason: "漏记的推荐佣金",
	}
}

func TestAVoucherIsPostedOnlyByASecondPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	v, err := w.ProposeVoucher(t.Context(), proposal("k1"))
	must(t, err)
	if _, err := w.ApproveVoucher(t.Context(), v.ID, "clerk", ""); !errors.Is(err, ErrVoucherOwn) {
		t.Errorf("the maker approved: %v", err)
	}
	if diff := cmp.Diff(Balance{}, balance(t, w.Service, "alice")); diff != "" {
		t.Error(diff)
	}
	again, err := w.ProposeVoucher(t.Context(), proposal("k1"))
	must(t, err)
	if again.ID != v.ID {
		t.Error("the same key made two vouchers")
	}
	other := proposal("k1")
	other.Amount++
	if _, err := w.ProposeVoucher(t.Context(), other); !errors.Is(err, ErrVoucherReused) {
		t.Error(err)
	}
	for range 2 {
		_, err = w.ApproveVoucher(t.Context(), v.ID, "chief", "核对无误")
		must(t, err)
	}
	if _, err := w.RejectVoucher(t.Context(), v.ID, "chief", ""); !errors.Is(err, ErrVoucherDecided) {
		t.Error(err)
	}
	if diff := cmp.Diff(Balance{Available: 327}, balance(t, w.Service, "alice")); diff != "" {
		t.Error(diff)
	}
	x, err := w.Explain(t.Context(), "alice", "adjust/"+v.ID)
	must(t, err)
	want := []string{"2026-03-02 17:00 " + x.Sentence, "原因：漏记的推荐佣金", "经办人：clerk", "复核人：chief", "本笔变动：可提现 +3.27 元"}
	if diff := cmp.Diff(want, x.Steps); diff != "" {
		t.Error(diff)
	}
	verified(t, w.Service)
}

func TestAnApprovedVoucherIsPostedAlthoughItsProcessDied(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"voucher approved", "voucher posted"} {
		w := newWorld(t, Config{})
		v, err := w.ProposeVoucher(t.Context(), proposal("k1"))
		must(t, err)
		w.hook = func(step string) error {
			if step == at {
				return errKilled
			}
			return nil
		}
		if _, err := w.ApproveVoucher(t.Context(), v.ID, "chief", ""); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		w.hook = nil
		must(t, w.Tend(t.Context()))
		if diff := cmp.Diff(Balance{Available: 327}, balance(t, w.Service, "alice")); diff != "" {
			t.Error(diff)
		}
		verified(t, w.Service)
	}
}

func TestVouchersStandOnlyBetweenTheAccountsOfTheirKind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	staff := Available.Of(Staff("zhang"))
	give(t, w, "alice", 1000)
	give(t, w, Staff("zhang"), 1000)
	for _, c := range []struct {
		kind     Kind
		from, to Account
		good     bool
	}{
		{Adjust, Adjustment, Available.Of("alice"), true},
		{Adjust, Available.Of("alice"), Adjustment, true},
		{Adjust, Adjustment, Pending.Of("alice"), false},
		{Adjust, Available.Of("alice"), Available.Of("bob"), false},
		{Adjust, staff, Payroll, true},
		{Adjust, Available.Of("alice"), Payroll, false},
		{Incentive, StaffIncentive, staff, true},
		{Incentive, StaffIncentive, Available.Of("alice"), false},
		{Transfer, Bank, MerchantBalance, true},
		{Transfer, TaxPayable, TaxPaid, true},
		{Transfer, Bank, Bank, false},
		{Transfer, Bank, "brand:pocket", false},
		{Transfer, Bank, Available.Of("alice"), false},
		{Accrue, CommissionExpense, Available.Of("alice"), false},
		{Withdraw, Available.Of("alice"), Withdrawing.Of("alice"), false},
	} {
		in := proposal(fmt.Sprint(c))
		in.Kind, in.From, in.To = c.kind, c.from, c.to
		_, err := w.ProposeVoucher(t.Context(), in)
		if (err == nil) != c.good || err != nil && !errors.Is(err, ErrVoucherInvalid) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// month posts n sales of a month and withdraws something.
func (w *world) month(t *testing.T, name string, sales int) {
	t.Helper()
	for n := range sales {
		order := fmt.Sprintf("%s-%d", name, n)
		s := sale(order, 10000)
		s.At = w.clock.Now()
		must(t, w.Accrue(t.Context(), s))
		must(t, w.StartWindow(t.Context(), order, w.clock.Now(), time.Time{}))
	}
	must(t, w.CatchUp(t.Context()))
}

func TestAClosedMonthIsFrozenAndCorrectionsLandInTheOpenOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{SealBatch: 7})
	w.publish(t)
	if _, err := w.ClosePeriod(t.Context(), "2026-03", "chief"); !errors.Is(err, ErrPeriodOpen) {
		t.Errorf("the month is not over: %v", err)
	}
	w.month(t, "march", 10)
	w.clock.Set(time.Date(2026, 3, 31, 15, 59, 0, 0, time.UTC)) // a minute before April in Shanghai
	_, err := w.SettleDue(t.Context())
	must(t, err)
	must(t, w.CatchUp(t.Context()))
	w.clock.Advance(2 * time.Minute)
	must(t, w.ClawBack(t.Context(), Refund{ // dated in March, posted in April
		Order: "march-0", Number: "r1", At: start, Lines: []RefundLine{{1, 10000, 10000}},
	}))
	w.month(t, "april", 3)
	if _, err := w.ClosePeriod(t.Context(), "2026-04", "chief"); !errors.Is(err, ErrPeriodOpen) {
		t.Error(err)
	}
	march, err := w.ClosePeriod(t.Context(), "2026-03", "chief")
	must(t, err)
	want := []AccountTotal{
		{Account: "brand:commission-expense", Out: -13000, Closing: -13000},
		{Account: "member:*:available", In: 13000, Closing: 13000},
		{Account: "member:*:pending", Out: -13000, In: 13000},
	}
	if diff := cmp.Diff(want, march.Accounts); diff != "" {
		t.Error(diff)
	}
	w.clock.Set(time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC))
	if _, err := w.ClosePeriod(t.Context(), "2026-05", "chief"); !errors.Is(err, ErrPeriodOpen) {
		t.Error(err)
	}
	_, err = w.ClosePeriod(t.Context(), "2026-04", "chief")
	must(t, err)
	d, err := w.PeriodStatement(t.Context(), "alice", "2026-04")
	must(t, err)
	if diff := cmp.Diff(&PeriodStatement{
		Member: "alice", Month: "2026-04", Opening: Balance{Available: 8000}, Closing: Balance{Pending: 2400, Available: 7200},
		Kinds:     []KindTotal{{Accrue, 3, Balance{Pending: 2400}}, {ClawBack, 1, Balance{Available: -800}}},
		FirstLine: 21, LastLine: 24,
	}, d, cmpopts.IgnoreTypes(docstore.Doc{})); diff != "" {
		t.Error(diff)
	}
	report := verified(t, w.Service)
	if report.Periods != 2 {
		t.Errorf("%d periods verified", report.Periods)
	}
	_, err = w.statements.Update(t.Context(), "main/2026-03/bob", func(d *PeriodStatement) error { d.Closing.Available++; return nil })
	must(t, err)
	if is := findings(t, w.Service); !slices.Equal(is, []string{"period main/2026-03/bob"}) {
		t.Errorf("%v", is)
	}
}

func TestAMonthIsClosedOnceWhereverItsProcessDied(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"period begun", "some statements written", "statements written"} {
		w := newWorld(t, Config{})
		w.publish(t)
		w.month(t, "march", 5)
		w.clock.Set(time.Date(2026, 4, 2, 0, 0, 0, 0, time.UTC))
		w.hook = func(step string) error {
			if step == at {
				return errKilled
			}
			return nil
		}
		if _, err := w.ClosePeriod(t.Context(), "2026-03", "chief"); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		w.hook = nil
		w.month(t, "april", 2)
		must(t, w.Tend(t.Context()))
		p, err := w.ClosePeriod(t.Context(), "2026-03", "other")
		must(t, err)
		if p.Closing != "" || p.By != "chief" || p.Members != 3 || p.Entries != 5 {
			t.Errorf("%+v", p)
		}
		verified(t, w.Service)
	}
}

func signer() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat("k", ed25519.SeedSize)))
}

func TestCheckpointsTellThatTheNewestSealsAreGone(t *testing.T) {
	t.Parallel()
	var anchors []Checkpoint
	w := newWorld(t, Config{SealBatch: 5, Key: signer(), Anchor: func(line string) {
		c, err := ParseCheckpoint(line)
		must(t, err)
		anchors = append(anchors, c)
	}})
	w.publish(t)
	w.month(t, "a", 10)
	must(t, w.Tend(t.Context()))
	must(t, w.Tend(t.Context())) // nothing new
	w.month(t, "b", 10)
	w.clock.Advance(2 * time.Hour)
	must(t, w.Tend(t.Context()))
	report := verified(t, w.Service)
	if report.Checkpoints != 2 || len(anchors) != 2 {
		t.Fatalf("%d checkpoints, %d lines", report.Checkpoints, len(anchors))
	}
	must(t, w.Tidy(t.Context()))
	cut := func(seals int64) { // somebody who may write everything takes the newest entries away
		mark, err := w.book.Bookmark(t.Context())
		must(t, err)
		for n := mark.Folded; n > mark.Folded-seals; n-- {
			seal, err := w.book.LoadSeal(t.Context(), n)
			must(t, err)
			for _, id := range seal.Entries {
				must(t, w.book.Entries.Delete(t.Context(), id, nil))
			}
			must(t, w.Service.book.Seals.Delete(t.Context(), book.SealID("main", n), nil))
		}
		_, err = w.book.Books.Update(t.Context(), "main", func(b *book.Bookmark) error {
			b.Folded -= seals
			b.Cleared = min(b.Cleared, b.Folded)
			return nil
		})
		must(t, err)
	}
	cut(1)
	w.Service = open(t, w.store, w.clock, Config{SealBatch: 5})
	must(t, w.Rebuild(t.Context()))
	if is := findings(t, w.Service); !slices.Contains(is, "chain main/0000000002") {
		t.Errorf("not found: %v", is)
	}
	must(t, w.Service.book.Checkpoints.Delete(t.Context(), book.SealID("main", 2), nil)) // and the checkpoint with them
	against, err := w.VerifyAgainst(t.Context(), anchors, nil)
	must(t, err)
	if len(against.Differences) == 0 || against.Differences[len(against.Differences)-1].Rule != "chain" {
		t.Errorf("the line kept outside did not tell: %v", against.Differences)
	}
}

func TestAForgedCheckpointIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Key: signer()})
	w.publish(t)
	w.month(t, "a", 3)
	must(t, w.Tend(t.Context()))
	_, err := w.Service.book.Checkpoints.Update(t.Context(), book.SealID("main", 1), func(c *Checkpoint) error { c.Hash[0]++; return nil })
	must(t, err)
	if is := findings(t, w.Service); !slices.Equal(is, []string{"checkpoint main/0000000001", "checkpoint main/0000000001"}) {
		t.Errorf("%v", is)
	}
}

func TestADisputeCarriesItsEvidenceAndIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.publish(t)
	w.month(t, "a", 1)
	in := DisputeInput{Member: "alice", Entry: "accrue/a-0", Words: "少算了吧？"}
	d, err := w.OpenDispute(t.Context(), in)
	must(t, err)
	if d.Sentence == "" || len(d.Evidence) < 3 {
		t.Errorf("%+v", d)
	}
	again, err := w.OpenDispute(t.Context(), in)
	must(t, err)
	if again.ID != d.ID {
		t.Error("two disputes about one entry")
	}
	in.Member = "mallory"
	if _, err := w.OpenDispute(t.Context(), in); !errors.Is(err, ErrEntryMissing) {
		t.Errorf("somebody else's entry: %v", err)
	}
	answer := DisputeAnswer{Dispute: d.ID, By: "clerk", Words: "按 8% 计算无误", State: DisputeDeclined}
	for range 2 {
		_, err = w.AnswerDispute(t.Context(), answer)
		must(t, err)
	}
	answer.Words = "再想想"
	if _, err := w.AnswerDispute(t.Context(), answer); !errors.Is(err, ErrDisputeDecided) {
		t.Error(err)
	}
}

func TestStaffFindsEntriesByIDByOrderAndByNumber(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.publish(t)
	rich(t, w, 2)
	w.clock.Advance(time.Minute)
	must(t, w.ClawBack(t.Context(), Refund{Order: "rich1", Number: "r1", At: w.clock.Now(), Lines: []RefundLine{{1, 5000, 10000}}}))
	w.clock.Advance(time.Minute)
	must(t, w.Reserve(t.Context(), hold("W1", 800)))
	must(t, w.ConfirmPayout(t.Context(), payout("W1", 800, 100)))
	for what, want := range map[string][]string{
		"rich1":        {"accrue/rich1", "settle/rich1", "clawback/rich1/r1"},
		"W1":           {"withdraw/W1", "outcome/W1", "tax/W1"},
		"settle/rich0": {"settle/rich0"},
	} {
		views, err := w.FindEntries(t.Context(), what)
		must(t, err)
		var is []string
		for _, v := range views {
			is = append(is, v.ID)
			for _, x := range v.Members {
				if x.Sentence == "" {
					t.Errorf("%s says nothing", v.ID)
				}
			}
		}
		if diff := cmp.Diff(want, is); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	if _, err := w.FindEntries(t.Context(), "nothing"); !errors.Is(err, ErrEntryMissing) {
		t.Error(err)
	}
}
