// Package tax knows how much tax is withheld from a payment of commission, and proves it.
//
// # What it promises
//
//   - Every rate, deduction, threshold, source and date is data of a published, numbered table; the code holds only the
//     three ways to compute (off, per payment, cumulative). Without a published table nothing is withheld.
//   - Withhold is a pure function of the table, the kind of payee, what was paid before, and the amount: the same
//     input, the same tax and the same derivation in words.
//   - What a payee was when paid decides: the history a tax is computed after holds payments of the same kind and regime only, and
//     an opening position two people confirmed. A table that is switched on in mid-year looks at nothing paid before.
//   - Tax is never negative and never above the payment: what is due beyond it (after returns or an opening position) is
//     carried to the next payment, and said. A larger payment never bears less tax, and cutting a month's
//     payments into other pieces does not change the month's tax.
//   - Statements are pure functions of a list of payments; every number carries the ids of the ledger entries it
//     comes from.
//
// # Rounding
//
// Incomes, deductions and quick deductions are exact decimals; only the resulting tax is rounded, once, half up to the
// fen. In the cumulative ways it is the cumulative tax that is rounded, so that roundings do not add up.
//
// # What it never does
//
// It never gives tax back: when less is due than was withheld already, this payment bears none and the difference stays
// for the next, as the withholding rules have it (余额为负值时，暂不退税). It is not a substitute for a tax adviser: which
// table applies to whom is the brand's decision, written down by publishing it.
//
//	table := tax.CumulativeTable()
//	w, err := tax.Withhold(&table, tax.Resident, history, paidAt, 3_000_00)
//	for _, step := range w.Steps { fmt.Println(step) }
package tax
