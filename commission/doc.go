// Package commission is the ledger of what the brand owes its members for sales, and of why.
//
// # What it promises
//
//   - Every sale's commission is computed by one published, dated, immutable policy (Compute is a pure function) and
//     posted as one balanced, immutable entry. The same sale twice is one entry; the same order with another content is
//     COM_ENTRY_CONFLICT.
//   - A refund takes back from every beneficiary of the refunded line exactly the share the buyer got back: before
//     settlement from pending, afterwards from available, which may go negative. Any number of partial refunds of a line
//     end at exactly zero, in whatever order they arrive, also before the accrual.
//   - Commission becomes available when the after-sale window, counted from receipt, is over; never before, and never while
//     an after-sale case on that line is open.
//   - Money is reserved for a withdrawal at most once, and a withdrawal has one outcome: both follow from ids.
//   - What follows from no sale and no withdrawal is a voucher: one person proposes, another approves.
//   - A closed month never changes; corrections land in the open one, linked to what they correct.
//   - Within about a second entries are sealed into a chain of hashes per book and folded into the purses. A purse is
//     the fold of the seals, which is the sum of the postings; Verify proves it, Rebuild restores it.
//   - A process may die between any two writes: whoever repeats the call, or seals next, finishes the work.
//   - Every statement line has its reason in words; Explain gives the derivation and says why money cannot be
//     withdrawn yet.
//
// # What it never does
//
// It never pays a third level or for recruiting: neither can be written into a policy. It never changes or deletes an
// entry; corrections are new entries. It never holds the buyer: the order's number is enough, so that a deleted person
// leaves only anonymous rows.
//
// # How it works
//
//	Accrue       insert entry accrue/<order>; look for a Settlement that was there first
//	StartWindow  Settlement of the order: received, due per line
//	ClawBack     Settlement: refund recorded, then entry clawback/<order>/<refund>
//	SettleDue    round (intent), Settlements: step recorded, entries settle/<order>[/<line>], round deleted
//	Reserve      hold in the purse, then entry withdraw/<number>; ConfirmPayout, FailPayout: outcome/<number>
//	ApproveVoucher  Voucher: approved, then entry <kind>/<voucher>
//	ClosePeriod  Period: the stretch of seals (intent), statements, then the trial balance
//	Run          the sealer: see SealOnce and the steps in sealer.go; Tend finishes what crashes left and signs checkpoints
//
// Accounts are the brand's (BrandAccounts) and member:<id>:pending, :available, :withdrawing, :withdrawn; staff:<id>:… is
// a purse like a member's. The text stored in an entry is the entry: readable, canonical, hashed (entry_text.go shows one).
//
// The rooms beside it: tax computes what is withheld, withdrawal carries money out, sharing
// pays it out of the orders' own payments (分账) where the policy says so.
//
// # Example
//
//	ledger, err := commission.New(ctx, commission.Deps{Store: store, Clock: clock.System{}, IDs: id.Random{}})
//	_, err = ledger.PublishPolicy(ctx, commission.Policy{Cap: 2000, Rules: []commission.Rule{
//		{Pays: []commission.Pay{{Role: commission.Direct, Rate: 800}, {Role: commission.Host, Rate: 300}}},
//	}})
//	go ledger.Run(ctx, func(err error) { slog.Error("sealing", "error", err) })
//	err = ledger.Accrue(ctx, commission.Sale{Order: "o1", At: confirmedAt, Host: "h1", …})
//	purse, err := ledger.Purse(ctx, "h1")
package commission
