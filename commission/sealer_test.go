package commission

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"guanxi/commission/policy"
	"guanxi/internal/fault"
	"guanxi/internal/money"
)

// sealingSteps are the boundaries at which a sealer may die or be overtaken.
var sealingSteps = []string{"before seal", "sealed", "half folded", "folded", "bookmarked", "half cleared", "cleared"}

// work posts some entries and then lets the service seal, fold and clear them.
func work(t *testing.T, s *Service, from, to int) error {
	t.Helper()
	for n := from; n < to; n++ {
		must(t, s.Accrue(t.Context(), sale(fmt.Sprintf("o%03d", n), 10000)))
	}
	return errors.Join(s.CatchUp(t.Context()), s.Tidy(t.Context()))
}

func verified(t *testing.T, s *Service) *Report {
	t.Helper()
	report, err := s.Verify(t.Context(), nil)
	must(t, err)
	for _, d := range report.Differences {
		t.Errorf("%s %s: %s", d.Rule, d.Subject, d.Text)
	}
	return report
}

func TestTheNextSealerFinishesWhatADeadOneLeft(t *testing.T) {
	t.Parallel()
	for _, at := range sealingSteps {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, Config{SealBatch: 40, Alone: true})
			w.publish(t)
			must(t, work(t, w.Service, 0, 50))
			w.hook = func(step string) error {
				if step == at {
					return errCrash
				}
				return nil
			}
			if err := work(t, w.Service, 50, 150); !errors.Is(err, errCrash) {
				t.Fatal("it did not die:", err)
			}
			verified(t, w.Service)
			next := open(t, w.store, w.clock, Config{SealBatch: 40})
			must(t, work(t, next, 150, 150))
			report := verified(t, next)
			if diff := cmp.Diff(&Report{Entries: 150, Seals: report.Seals, Purses: 3, Newest: report.Newest}, report); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(Balance{Pending: 150 * 800}, balance(t, next, "alice")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTwoSealersAtOnceSealEveryEntryOnce(t *testing.T) {
	t.Parallel()
	intruders := map[string]func(*testing.T, *Service) error{
		"seals":  func(t *testing.T, s *Service) error { return s.CatchUp(t.Context()) },
		"clears": func(t *testing.T, s *Service) error { return errors.Join(s.CatchUp(t.Context()), s.Tidy(t.Context())) },
		"posts":  func(t *testing.T, s *Service) error { return work(t, s, 500, 520) },
		"rebuilds and dies": func(t *testing.T, s *Service) error {
			s.hook = func(step string) error {
				if step == "epoch" {
					return errCrash
				}
				return nil
			}
			defer func() { s.hook = nil }()
			if err := s.Rebuild(t.Context()); !errors.Is(err, errCrash) {
				return errors.New("it did not die")
			}
			return nil
		},
		"rebuilds": func(t *testing.T, s *Service) error { return s.Rebuild(t.Context()) },
	}
	for _, at := range sealingSteps {
		for name, intrude := range intruders {
			t.Run(at+"/"+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, Config{SealBatch: 40, Alone: true})
				w.publish(t)
				must(t, work(t, w.Service, 0, 50))
				other := open(t, w.store, w.clock, Config{SealBatch: 30, Alone: true})
				once := false
				w.hook = func(step string) error {
					if step != at || once {
						return nil
					}
					once = true
					return intrude(t, other)
				}
				must(t, work(t, w.Service, 50, 150))
				w.hook = nil
				must(t, work(t, w.Service, 150, 160))
				must(t, work(t, other, 160, 170))
				want := 170
				if name == "posts" {
					want += 20
				}
				report := verified(t, w.Service)
				if report.Entries != int64(want) || report.Unsealed != 0 {
					t.Errorf("%+v", report)
				}
				if diff := cmp.Diff(Balance{Pending: 800}, Balance{Pending: balance(t, other, "alice").Pending / money.Fen(want)}); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestARefundAndItsAccrualAlwaysSeeEachOther(t *testing.T) {
	t.Parallel()
	refund := Refund{Order: "o1", Number: "r1", At: start, Lines: []RefundLine{{1, 5000, 10000}}}
	for name, race := range map[string][2]func(*Service) error{
		"accrual in the middle of the refund": {
			func(s *Service) error { return s.ClawBack(context.Background(), refund) },
			func(s *Service) error { return s.Accrue(context.Background(), sale("o1", 10000)) },
		},
		"refund in the middle of the accrual": {
			func(s *Service) error { return s.Accrue(context.Background(), sale("o1", 10000)) },
			func(s *Service) error { return s.ClawBack(context.Background(), refund) },
		},
	} {
		for _, at := range []string{"read", "decided", "accrued", "adopted"} {
			t.Run(name+"/"+at, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, Config{})
				w.publish(t)
				other := open(t, w.store, w.clock, Config{})
				once := false
				w.hook = func(step string) error {
					if step != at || once {
						return nil
					}
					once = true
					return race[1](other)
				}
				must(t, race[0](w.Service))
				w.hook = nil
				if !once {
					must(t, race[1](other))
				}
				if diff := cmp.Diff(Balance{Pending: 400}, balance(t, other, "alice")); diff != "" {
					t.Error(diff)
				}
				must(t, other.Tidy(t.Context()))
				verified(t, other)
			})
		}
	}
}

func TestASettlementRoundThatDiedIsFinished(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"round", "round decided", "round posted"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, Config{SettlePage: 10, SettleWorkers: 1})
			w.publish(t)
			for n := range 25 {
				order := fmt.Sprintf("o%d", n)
				must(t, w.Accrue(t.Context(), sale(order, 10000)))
				must(t, w.StartWindow(t.Context(), order, start, time.Time{}))
			}
			w.clock.Advance(8 * day)
			w.hook = func(step string) error {
				if step == at {
					return errCrash
				}
				return nil
			}
			if _, err := w.SettleDue(t.Context()); !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			next := open(t, w.store, w.clock, Config{SettlePage: 10, SettleWorkers: 1})
			w.clock.Advance(settleLease) // until then it is left to whoever began it
			must(t, next.ClawBack(t.Context(), Refund{Order: "o0", Number: "r1", At: start, Lines: []RefundLine{{1, 10000, 10000}}}))
			_, err := next.SettleDue(t.Context())
			must(t, err)
			if diff := cmp.Diff(Balance{Available: 24 * 800}, balance(t, next, "alice")); diff != "" {
				t.Error(diff)
			}
			verified(t, next)
		})
	}
}

func TestGoodsOfDifferentKindsSettleAtDifferentTimes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{Categories: map[string]Window{"生鲜": {AfterSale: day, Settle: 2 * day}}})
	w.publish(t)
	s := sale("o1", 10000, 5000)
	s.Lines[1].Category = "生鲜"
	must(t, w.Accrue(t.Context(), s))
	must(t, w.StartWindow(t.Context(), "o1", start, time.Time{}))
	for _, step := range []struct {
		days int
		want Balance
	}{{1, Balance{Pending: 1200}}, {1, Balance{Pending: 800, Available: 400}}, {5, Balance{Available: 1200}}} {
		w.clock.Advance(time.Duration(step.days) * day)
		_, err := w.SettleDue(t.Context())
		must(t, err)
		if diff := cmp.Diff(step.want, balance(t, w.Service, "alice")); diff != "" {
			t.Error(diff)
		}
	}
	verified(t, w.Service)
}

func TestAnEntryWithOtherContentIsAConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.publish(t)
	must(t, w.Accrue(t.Context(), sale("o1", 10000)))
	if err := w.Accrue(t.Context(), sale("o1", 10001)); !errors.Is(err, ErrEntryConflict) {
		t.Error(err)
	}
	if diff := cmp.Diff(Balance{Pending: 800}, balance(t, w.Service, "alice")); diff != "" {
		t.Error(diff)
	}
}

func TestBadInputChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	ctx := t.Context()
	if err := w.Accrue(ctx, sale("o1", 100)); !errors.Is(err, policy.ErrPolicyMissing) {
		t.Error("a sale before the first policy:", err)
	}
	w.publish(t)
	bad := func(name string, change func(*Sale), want *fault.Fault) {
		s := sale("o1", 100)
		change(&s)
		if err := w.Accrue(ctx, s); !errors.Is(err, want) {
			t.Error(name, err)
		}
	}
	bad("no order", func(s *Sale) { s.Order = "" }, ErrSaleInvalid)
	bad("a slash in the order", func(s *Sale) { s.Order = "a/b" }, ErrSaleInvalid)
	bad("no time", func(s *Sale) { s.At = time.Time{} }, ErrSaleInvalid)
	bad("no lines", func(s *Sale) { s.Lines = nil }, ErrSaleInvalid)
	bad("a line twice", func(s *Sale) { s.Lines = append(s.Lines, s.Lines[0]) }, ErrSaleInvalid)
	bad("negative money", func(s *Sale) { s.Lines[0].Paid = -1 }, ErrSaleInvalid)
	bad("huge money", func(s *Sale) { s.Lines[0].Paid = 1 << 60 }, ErrSaleInvalid)
	bad("huge cost", func(s *Sale) { s.Lines[0].Cost = 1 << 60 }, ErrSaleInvalid)
	bad("no units", func(s *Sale) { s.Lines[0].Units = 0 }, ErrSaleInvalid)
	bad("a member with a space", func(s *Sale) { s.Host = "h 1" }, ErrSaleInvalid)
	for name, r := range map[string]Refund{
		"no number":      {Order: "o1", At: start, Lines: []RefundLine{{1, 1, 1}}},
		"no lines":       {Order: "o1", Number: "r1", At: start},
		"nothing":        {Order: "o1", Number: "r1", At: start, Lines: []RefundLine{{1, 0, 1}}},
		"more than paid": {Order: "o1", Number: "r1", At: start, Lines: []RefundLine{{1, 2, 1}}},
		"a line twice":   {Order: "o1", Number: "r1", At: start, Lines: []RefundLine{{1, 1, 1}, {1, 1, 1}}},
	} {
		if err := w.ClawBack(ctx, r); !errors.Is(err, ErrRefundInvalid) {
			t.Error(name, err)
		}
	}
	if err := w.StartWindow(ctx, "", start, time.Time{}); !errors.Is(err, ErrWindowInvalid) {
		t.Error(err)
	}
	if report := verified(t, w.Service); report.Entries != 0 || report.Settlements != 0 {
		t.Errorf("%+v", report)
	}
}
