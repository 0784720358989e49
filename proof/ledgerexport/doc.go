// Package ledgerexport writes the commission ledger down for finance: as a table (CSV, xlsx) or as plain-text accounting
// that beancount, hledger and ledger accept.
//
// # What it promises
//
//   - Entries stand in the order of the chain, each with its id, hash and seal, so that every row can be found again.
//   - An entry is dated by its seal: the month it stands in is the month it was posted in, as in a closed period. The
//     business time stands beside it.
//   - Amounts are made from fen without ever being a fraction; in xlsx they are number cells.
//   - It reads in one pass and remembers one row per account, not per entry.
//   - Plain-text files end with an assertion of every account's closing balance: the tool that reads the file proves it.
//
// # Signs
//
// The ledger tells where money goes: it leaves an account with a negative amount and arrives with a positive one, so what
// a member has is positive and what the brand has spent is negative. Accountants write debits positive and credits
// negative. Exported accounting amounts follow them by one rule:
//
//   - Every entry is mirrored: an expense becomes positive (debit), what is owed to a member or to the tax office becomes
//     negative (credit), and so does what was paid out, because it left the brand's money.
//   - Only an entry that touches brand:bank or brand:merchant-balance keeps its signs: it moves the brand's own money, and
//     "leaves" and "arrives" are credit and debit already.
//
// Tables carry both: the ledger's signed amount, and debit and credit.
//
// # Accounts
//
//	brand:commission-expense  Expenses:Commission
//	brand:staff-incentive     Expenses:StaffIncentive
//	brand:adjustment          Expenses:Adjustment
//	brand:tax-payable         Liabilities:TaxPayable
//	brand:tax-paid            Assets:Paid:Tax              negative: what left for the tax office
//	brand:payroll             Assets:Paid:Payroll          negative: what was paid with the wages
//	brand:merchant-balance    Assets:MerchantBalance
//	brand:bank                Assets:Bank
//	member:<id>:pending       Liabilities:Members:M-<id>:Pending; likewise Available, Withdrawing
//	member:<id>:withdrawn     Assets:Paid:Members:M-<id>   negative: what left for the member
//	staff:<id>:…              the same with Staff:S-<id>
//
// In an id everything but ASCII letters and digits is written as "-" and two hexadecimal digits; Account reads it back.
//
// An extract for one member holds that member's postings; what the same entries did to others is one sum on
// Equity:Others. What came before the first day of the extract is an opening balance against Equity:Opening.
package ledgerexport
