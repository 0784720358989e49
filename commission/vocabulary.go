package commission

import "guanxi/commission/internal/book"

// What the ledger's rooms share is defined in internal/book; these are its names for everybody else.
type (
	Kind         = book.Kind
	Account      = book.Account
	Pot          = book.Pot
	Posting      = book.Posting
	Entry        = book.Entry
	RefundedLine = book.RefundedLine
	Note         = book.Note
	Seal         = book.Seal
	Checkpoint   = book.Checkpoint
	Balance      = book.Balance
	Line         = book.Line
	Role         = book.Role
	Sale         = book.Sale
	SaleLine     = book.SaleLine
	Referral     = book.Referral
)

// The kinds of entries.
const (
	Accrue      = book.Accrue
	Settle      = book.Settle
	ClawBack    = book.ClawBack
	Withdraw    = book.Withdraw
	Confirm     = book.Confirm
	Fail        = book.Fail
	TaxWithheld = book.TaxWithheld
	Return      = book.Return
	Adjust      = book.Adjust
	Incentive   = book.Incentive
	Transfer    = book.Transfer
)

// The brand's accounts.
const (
	CommissionExpense = book.CommissionExpense
	StaffIncentive    = book.StaffIncentive
	TaxPayable        = book.TaxPayable
	TaxPaid           = book.TaxPaid
	Adjustment        = book.Adjustment
	MerchantBalance   = book.MerchantBalance
	Bank              = book.Bank
	Payroll           = book.Payroll
)

// The pots of a member.
const (
	Pending     = book.Pending
	Available   = book.Available
	Withdrawing = book.Withdrawing
	Withdrawn   = book.Withdrawn
)

// Everybody a policy can pay.
const (
	Direct    = book.Direct
	Upline    = book.Upline
	Host      = book.Host
	Pickup    = book.Pickup
	HelpSell  = book.HelpSell
	StaffRole = book.StaffRole
)

// The limits of one sale, and the note of an accrual that holds Sale.Digest.
const (
	MaxLines   = book.MaxLines
	MaxRefunds = book.MaxRefunds
	MaxUnits   = book.MaxUnits
	NoteDigest = book.NoteDigest
)

// What every room refuses alike.
var (
	ErrSaleInvalid   = book.ErrSaleInvalid
	ErrEntryConflict = book.ErrEntryConflict
	ErrEntryMissing  = book.ErrEntryMissing
	ErrMemberInvalid = book.ErrMemberInvalid
	ErrPageInvalid   = book.ErrPageInvalid
)

// BrandAccounts lists the brand's accounts, as the trial balance shows them.
func BrandAccounts() []Account { return book.BrandAccounts() }

// Staff names the purse of a person of staff.
func Staff(id string) string { return book.Staff(id) }

// ParseCheckpoint reads a Checkpoint.Line. It does not check the signature; see Checkpoint.Signed.
func ParseCheckpoint(line string) (Checkpoint, error) { return book.ParseCheckpoint(line) }
