package withdrawal

import (
	"time"

	"guanxi/commission/tax"
	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// Withdrawal is one request of a member for money. Its id is its number, the only one it ever has towards the platform.
type Withdrawal struct {
	docstore.Doc `bson:",inline"`
	Member       string    `bson:"member"`
	State        State     `bson:"state"`
	Gross        money.Fen `bson:"gross"` // what leaves the purse
	Content      string    `bson:"content"`
	Device       string    `bson:"device,omitempty"` // keyed hash
	Wallet       string    `bson:"wallet,omitempty"` // keyed hash of the openid at the asking
	AskedAt      time.Time `bson:"asked_at"`

	Findings  []Finding `bson:"findings,omitempty"`  // what the checks saw; not for the member's eyes
	Approvals []Opinion `bson:"approvals,omitempty"` // who said yes
	Objection *Opinion  `bson:"objection,omitempty"` // who said no
	HeldAt    time.Time `bson:"held_at,omitempty"`
	DecidedAt time.Time `bson:"decided_at,omitempty"` // approved; the tax table of this moment counts

	// Fixed by the sending.
	Tax      money.Fen `bson:"tax"`
	Net      money.Fen `bson:"net"` // what the member gets: Gross - Tax
	Kind     tax.Kind  `bson:"kind,omitempty"`
	Regime   tax.Mode  `bson:"regime,omitempty"` // the way the tax was computed
	TaxTable int       `bson:"tax_table,omitempty"`
	TaxSteps []string  `bson:"tax_steps,omitempty"` // the derivation in words
	// TaxCarried is what was due beyond the payment itself and is left to the next one.
	TaxCarried money.Fen `bson:"tax_carried,omitempty"`

	OpenID   docstore.Encrypted `bson:"open_id,omitempty"`
	RealName docstore.Encrypted `bson:"real_name,omitempty"`
	Remark   string             `bson:"remark,omitempty"`
	Rail     string             `bson:"rail,omitempty"` // "" = the ordinary one
	SentAt   time.Time          `bson:"sent_at,omitempty"`

	// The platform's words.
	Platform  TransferState `bson:"platform,omitempty"` // the last state heard
	Bill      string        `bson:"bill,omitempty"`     // the platform's number
	Package   string        `bson:"package,omitempty"`  // for wx.requestMerchantTransfer; only while waiting
	WaitingAt time.Time     `bson:"waiting_at,omitempty"`

	// What became of the sendings, as far as the platform has answered them.
	LastSendAt time.Time `bson:"last_send_at,omitempty"`
	Refusals   int       `bson:"refusals,omitempty"`   // sendings in a row that were answered by a coded no
	RefusedAs  string    `bson:"refused_as,omitempty"` // the platform's code of the newest
	Doubtful   bool      `bson:"doubtful,omitempty"`   // some sending was not answered at all
	Unknowns   int       `bson:"unknowns,omitempty"`   // questions in a row that found nothing

	StateAt  time.Time `bson:"state_at,omitempty"`  // when it came into its state
	CancelAt time.Time `bson:"cancel_at,omitempty"` // the member, or staff, asked to cancel a transfer already sent
	Stopped  *Opinion  `bson:"stopped,omitempty"`   // the person of staff who did
	Code     string    `bson:"code,omitempty"`      // why it ended so: a finding's or the platform's code
	Why      string    `bson:"why,omitempty"`       // the same for the member, in Chinese
	EndedAt  time.Time `bson:"ended_at,omitempty"`  // the final word; the entry's time

	Lost       []Opinion `bson:"lost,omitempty"`      // who says that the platform never moved anything
	Returning  []Opinion `bson:"returning,omitempty"` // who says that paid money came back
	ReturnedAt time.Time `bson:"returned_at,omitempty"`

	Posted     State      `bson:"posted,omitempty"` // the ended state whose consequences are all written
	Incidents  []Incident `bson:"incidents,omitempty"`
	IncidentAt time.Time  `bson:"incident_at,omitempty"`
	Tries      int        `bson:"tries,omitempty"`
	NextAt     time.Time  `bson:"next_at,omitempty"` // when to look again; while asked, also until when it is somebody's
}

// Number is the number towards the platform and the ledger.
func (w *Withdrawal) Number() string { return w.ID }

// Opinion is a staff member's word.
type Opinion struct {
	By  string    `bson:"by"`
	At  time.Time `bson:"at"`
	Why string    `bson:"why"`
}

// Finding is what one check saw.
type Finding struct {
	Code  Code   `bson:"code"`
	Words string `bson:"words"` // Chinese
}

// IncidentKind classifies what people should look at.
type IncidentKind string

// The kinds of incidents.
const (
	WrongAmount   IncidentKind = "wrong amount"   // the platform names another amount
	WrongBill     IncidentKind = "wrong bill"     // the platform names another bill under our number
	Contradiction IncidentKind = "contradiction"  // the platform's final word changed
	NeverSent     IncidentKind = "never sent"     // the platform knows a number that was never sent
	Forgotten     IncidentKind = "forgotten"      // too old for the platform to remember: a person must find out
	LedgerRefused IncidentKind = "ledger refused" // an entry that must follow was refused
	SendRefused   IncidentKind = "send refused"   // the platform answers every sending with a no that is not final
	Overdue       IncidentKind = "overdue"        // too long in one state
)

// Incident is something that changed nothing and must be seen.
type Incident struct {
	Kind   IncidentKind `bson:"kind"`
	Detail string       `bson:"detail"`
	At     time.Time    `bson:"at"`
}

const maxIncidents = 20

// incident records something once; false when it is known.
func (w *Withdrawal) incident(kind IncidentKind, detail string, now time.Time) bool {
	for _, i := range w.Incidents {
		if i.Kind == kind && i.Detail == detail {
			return false
		}
	}
	if len(w.Incidents) >= maxIncidents {
		return false
	}
	w.Incidents, w.IncidentAt = append(w.Incidents, Incident{kind, detail, now}), now
	w.Emit(EventIncident, Incidence{Number: w.ID, Kind: kind, Detail: detail, State: w.State, At: now})
	return true
}

func (w *Withdrawal) suffered(kind IncidentKind) bool {
	for _, i := range w.Incidents {
		if i.Kind == kind {
			return true
		}
	}
	return false
}

// unposted tells whether something must still follow from the end.
func (w *Withdrawal) unposted() bool { return w.State.Ended() && w.Posted != w.State }

// end writes down the final word.
func (w *Withdrawal) end(by cause, at time.Time, code, why string) error {
	if err := w.move(by); err != nil {
		return err
	}
	w.EndedAt, w.Code, w.Why, w.Package, w.Tries = at, code, why, "", 0
	return nil
}
