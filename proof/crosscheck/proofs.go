package crosscheck

import (
	"fmt"
	"io"
)

// How a collection is proved.
type How string

// The ways.
const (
	InChain    How = "chain"      // a link of the chain of facts holds every document (package notary)
	OwnChain   How = "own chain"  // it is a chain itself
	Recomputed How = "recomputed" // verify or audit work it out again from what is chained
	NoMoney    How = "no money"   // neither money nor law hangs on it; Why says so
)

// Proof says how one collection is proved.
type Proof struct {
	Collection string
	How        How
	Why        string
}

// Proofs is the whole table: a test holds it against every collection the program opens.
func Proofs() []Proof { return append(proved(), unproved()...) }

func proved() []Proof {
	return []Proof{
		{"entries", OwnChain, "the book's seals hold the hash of every entry"},
		{"seals", OwnChain, "each holds the hash of the one before; checkpoints sign them"},
		{"checkpoints", OwnChain, "signed, each over the one before; their lines are kept outside of the store"},
		{"facts", OwnChain, "the chain of facts itself; checkpoints sign its head"},
		{"policies", InChain, "rules of commission; accruals are computed again from them as well"},
		{"tax_tables", InChain, "tax tables; every withheld tax is computed again from them as well"},
		{"bond_policies", InChain, "rules of bonds"},
		{"rebinds", InChain, "staff's re-binding of a member"},
		{"host_grades", InChain, "grades choose rates"},
		{"hostings", InChain, "who may host, approved by whom"},
		{"hosting_rules", InChain, "what hosting is approved by"},
		{"vouchers", InChain, "what two people approved; entries are compared with them as well"},
		{"disputes", InChain, "a member's doubt, its evidence and answer"},
		{"periods", InChain, "closed months; their trial balance is computed again as well"},
		{"period_statements", InChain, "everybody's closed month; its closing is computed again as well"},
		{"withdrawals", InChain, "requests, approvals, transfers; compared with their entries as well"},
		{"payees", InChain, "who somebody is to the tax office, and was when paid"},
		{"tax_years", InChain, "income and tax of a person's year; computed again from the withdrawals as well"},
		{"reconciliations", InChain, "what came of a day's bill"},
		{"reconciliation_tasks", InChain, "differences and how people answered them"},
		{"deeds", InChain, "the audit log"},
		{"operators", InChain, "staff's accounts and roles"},
		{"staff_drafts", InChain, "what one person prepared and another decided"},
		{"consents", InChain, "what a member agreed to"},
		{"orders", Recomputed, "a confirmed order's facts are in its accrual, field by field and as a hash; refunds are its claw-backs"},
		{"settlements", Recomputed, "claw-backs and settlements in the book are exactly what they ask for"},
		{"purses", Recomputed, "the fold of the seals; a second time from events by audit"},
		{"purse_pages", Recomputed, "every statement line follows from an entry"},
		{"books", Recomputed, "a bookmark over the seals"},
		{"settle_rounds", Recomputed, "the intent of one settling step; what it does is a settlement"},
		{"sharings", Recomputed, "every part is compared with its entries"},
		{"history", Recomputed, "audit computes every purse from it and compares with the book"},
		{"reconciliation_pages", Recomputed, "a bill's lines: the platform gives the bill again"},
		{"reconciliation_strays", Recomputed, "lines waiting for their order; the bill gives them again"},
		{"bonds", Recomputed, "who is credited is copied into the order when it is placed, and with it into the accrual"},
		{"staff_tasks", NoMoney, "what people must look at; opened again from the incident on its own document"},
	}
}

// unproved are those that neither money nor law hangs on.
func unproved() []Proof {
	return []Proof{
		{"tabs", NoMoney, "how much one person holds unpaid"},
		{"order_refund_days", NoMoney, "how much was refunded on a day, for limits; the refunds are in the orders"},
		{"refund_desks", NoMoney, "limits of refunds; the refunds are in the orders"},
		{"voucher_days", NoMoney, "how much somebody proposed on a day, for limits; the vouchers say the same"},
		{"voucher_takings", NoMoney, "how much vouchers took back, for limits; the vouchers say the same"},
		{"staff_attempts", NoMoney, "guesses at passwords; failed logins are deeds"},
		{"unreadable_documents", NoMoney, "what a sweep could not read; the document itself is proved"},
		{"leases", NoMoney, "which process does what at the moment"},
		{"fact_books", NoMoney, "a bookmark; the chain says the same"},
		{"parked", NoMoney, "events that wait; their effects are proved where they arrive"},
		{"answers", NoMoney, "what an Idempotency-Key was answered, kept 48 hours"},
		{"console_answers", NoMoney, "the same for staff; what was done is a deed"},
		{"members", NoMoney, "who somebody is; payment goes to the wallet the platform confirms"},
		{"sessions", NoMoney, "logins of members"},
		{"staff_sessions", NoMoney, "logins of staff; each is a deed"},
		{"communities", NoMoney, "what an order needs of it is copied into the order"},
		{"memberships", NoMoney, "who belongs where"},
		{"picks", NoMoney, "what a host shows"},
		{"products", NoMoney, "price and cost are locked into the order's lines"},
		{"stocks", NoMoney, "goods, not money"},
		{"buckets", NoMoney, "goods, not money"},
		{"stock_moves", NoMoney, "goods, not money"},
		{"stock_intakes", NoMoney, "goods, not money"},
		{"campaigns", NoMoney, "what an order needs of it is copied into the order"},
		{"quotas", NoMoney, "limits of one campaign"},
		{"allotments", NoMoney, "limits of one campaign"},
		{"seats", NoMoney, "numbers of a campaign; the order keeps its own"},
		{"seat_leaves", NoMoney, "who left a campaign"},
		{"tallies", NoMoney, "a fold over seats"},
		{"shares", NoMoney, "what was forwarded"},
		{"touches", NoMoney, "who opened it; what counted is copied into the order"},
		{"withdrawal_desks", NoMoney, "how much somebody asked for lately; computed from the withdrawals when it matters"},
		{"payee_identities", NoMoney, "evidence for reviewers: who shares a wallet, a device"},
		{"message_credits", NoMoney, "how many messages somebody accepted"},
		{"notices", NoMoney, "what there was to tell"},
	}
}

// Chained lists the collections the chain of facts holds.
func Chained() (names []string) {
	for _, p := range Proofs() {
		if p.How == InChain {
			names = append(names, p.Collection)
		}
	}
	return names
}

// WriteProofs prints the table as Markdown.
func WriteProofs(w io.Writer) error {
	if _, err := fmt.Fprint(w, "| documents | proved by | how |\n|---|---|---|\n"); err != nil {
		return err
	}
	for _, p := range Proofs() {
		if _, err := fmt.Fprintf(w, "| `%s` | %s | %s |\n", p.Collection, p.How, p.Why); err != nil {
			return err
		}
	}
	return nil
}
