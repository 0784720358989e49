package outreach

// Topic is what a notice is about, named like the event it follows from.
type Topic string

// The topics.
const (
	WithdrawalWaiting  Topic = "withdrawal.Waiting"  // the member has to confirm a transfer
	WithdrawalPaid     Topic = "withdrawal.Paid"     // the money has arrived
	WithdrawalReturned Topic = "withdrawal.Returned" // it is in the purse again
	SharingDone        Topic = "sharing.Done"        // commission was paid out of an order's payment
	SharingLeft        Topic = "sharing.Left"        // it was not: it can be withdrawn
)

// Kind is what a value is; it decides into which fields of a template it may go.
type Kind string

// The kinds of values.
const (
	Words  Kind = "words"
	Amount Kind = "amount" // 12.30元
	Moment Kind = "moment" // 2026年3月2日 10:00
	Code   Kind = "code"   // letters and digits
)

// Value is something a topic knows and a template may show.
type Value struct {
	Name string
	Kind Kind
}

// Subject is what is known of a topic.
type Subject struct {
	Topic  Topic
	Title  string // Chinese, for the member
	Values []Value
	// Over are the topics that leave nothing to tell of this one, once there is a notice of them with the same number.
	Over []Topic
}

var subjects = [...]Subject{
	{
		WithdrawalWaiting, "提现待确认收款",
		[]Value{{"title", Words}, {"hint", Words}, {"amount", Amount}, {"tax", Amount}, {"net", Amount}, {"until", Moment}, {"number", Code}},
		[]Topic{WithdrawalPaid, WithdrawalReturned},
	},
	{
		WithdrawalPaid, "提现已到账",
		[]Value{{"title", Words}, {"hint", Words}, {"amount", Amount}, {"tax", Amount}, {"net", Amount}, {"at", Moment}, {"number", Code}},
		[]Topic{WithdrawalReturned},
	},
	{
		WithdrawalReturned, "提现已退回",
		[]Value{{"title", Words}, {"hint", Words}, {"amount", Amount}, {"why", Words}, {"at", Moment}, {"number", Code}},
		nil,
	},
	{
		SharingDone, "佣金已到账",
		[]Value{{"title", Words}, {"hint", Words}, {"amount", Amount}, {"at", Moment}, {"number", Code}, {"order", Code}},
		nil,
	},
	{
		SharingLeft, "佣金已转入可提现",
		[]Value{{"title", Words}, {"hint", Words}, {"amount", Amount}, {"why", Words}, {"at", Moment}, {"number", Code}, {"order", Code}},
		nil,
	},
}

// Subjects lists the topics in the order they are shown in.
func Subjects() []Subject { return append([]Subject(nil), subjects[:]...) }

// Title is what a topic is called, or "".
func (t Topic) Title() string {
	if s := t.subject(); s != nil {
		return s.Title
	}
	return ""
}

func (t Topic) subject() *Subject {
	for i := range subjects {
		if subjects[i].Topic == t {
			return &subjects[i]
		}
	}
	return nil
}

func (s *Subject) kind(value string) (Kind, bool) {
	for _, v := range s.Values {
		if v.Name == value {
			return v.Kind, true
		}
	}
	return "", false
}
