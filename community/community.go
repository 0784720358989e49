package community

import (
	"regexp"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/fault"
	"guanxi/internal/id"
	"guanxi/internal/text"
)

// Community is a host and their people.
type Community struct {
	docstore.Doc `bson:",inline"`
	Host         string    `bson:"host"`
	Name         string    `bson:"name"`
	Words        string    `bson:"words,omitempty"`  // who this is for, in the host's words
	Notice       string    `bson:"notice,omitempty"` // what the host wants everybody to read now
	Points       []Point   `bson:"points,omitempty"`
	CreatedAt    time.Time `bson:"created_at"`
	// Made is what the community was made from: the same key with another content is told from a repetition.
	Made CreateInput `bson:"made"`
}

// Point is a pickup point: a shop, a guard's house, the host's door.
type Point struct {
	ID      string             `bson:"id"`
	Name    string             `bson:"name"`
	Address string             `bson:"address"`
	Phone   docstore.Encrypted `bson:"phone,omitempty"` // of the keeper
	// Keeper is the member who keeps the point and may be paid for it; "" is nobody. Asked is who was named when the
	// point was made: the same key with another content is told from a repetition.
	Keeper string `bson:"keeper,omitempty"`
	Asked  string `bson:"asked_keeper,omitempty"`
	Hours  string `bson:"hours,omitempty"`
	Closed bool   `bson:"closed,omitempty"` // takes no new orders
}

// Bounds of a community's content, in characters.
const (
	MaxName    = 30
	MaxWords   = 500
	MaxNotice  = 500
	MaxPoints  = 50
	MaxAddress = 120
	MaxHours   = 60
	MaxReason  = 200
	MaxRank    = 1_000_000
)

// CreateInput makes a community.
type CreateInput struct {
	Host  string `bson:"host"`
	Key   string `bson:"key"`             // idempotency: same host and key, same community
	Name  string `bson:"name"`            // 1 to 30 characters
	Words string `bson:"words,omitempty"` // at most 500
}

// EditInput changes a community: nil stays as it is. Words and notice are cleared by "".
type EditInput struct {
	Host, Community     string
	Name, Words, Notice *string
}

// PickupInput makes a pickup point.
type PickupInput struct {
	Key     string // idempotency: same community and key, same point
	Name    string // 1 to 30 characters
	Address string // 1 to 120
	Phone   string // of the keeper; may be empty
	Hours   string // at most 60
	Keeper  string // member id of who keeps it: the host or an active member of the community; may be empty
}

func (in CreateInput) check() (CreateInput, error) {
	v := verdict{}
	v.key("key", in.Key)
	v.line("name", &in.Name, 1, MaxName)
	v.text("words", &in.Words, MaxWords)
	return in, v.fault()
}

func (in EditInput) check() (EditInput, error) {
	v := verdict{}
	if in.Name != nil {
		in.Name = new(*in.Name)
		v.line("name", in.Name, 1, MaxName)
	}
	if in.Words != nil {
		in.Words = new(*in.Words)
		v.text("words", in.Words, MaxWords)
	}
	if in.Notice != nil {
		in.Notice = new(*in.Notice)
		v.text("notice", in.Notice, MaxNotice)
	}
	return in, v.fault()
}

// keep puts a value in its place when one was given.
func keep[T any](place, given *T) {
	if given != nil {
		*place = *given
	}
}

var phonePattern = regexp.MustCompile(`^\+?[0-9][0-9-]{4,19}$`)

func (in PickupInput) check() (PickupInput, error) {
	in.Phone = text.Plain(in.Phone)
	v := verdict{}
	v.key("key", in.Key)
	v.line("name", &in.Name, 1, MaxName)
	v.line("address", &in.Address, 1, MaxAddress)
	v.line("hours", &in.Hours, 0, MaxHours)
	if in.Phone != "" && !phonePattern.MatchString(in.Phone) {
		v.add("phone", "电话号码格式不正确 (not a phone number)")
	}
	if in.Keeper != "" && (!id.Valid(in.Keeper) || len(in.Keeper) > 100) {
		v.add("keeper", "无法识别 (not an id)")
	}
	return in, v.fault()
}

// verdict collects what is wrong with an input.
type verdict struct{ bad *fault.Fault }

func (v *verdict) add(field, why string) {
	if v.bad == nil {
		v.bad = ErrInvalid
	}
	v.bad = v.bad.With(field, why)
}

func (v *verdict) fault() error {
	if v.bad == nil {
		return nil
	}
	return v.bad
}

func (v *verdict) key(field, key string) {
	if clean, ok := text.Line(key, 1, 100); !ok || clean != key || len(key) > 100 {
		v.add(field, "须为 1 到 100 个字符 (1 to 100 characters)")
	}
}

const badText = "字数超出范围或含有不可见字符 (out of range, or invisible characters)"

func (v *verdict) line(field string, words *string, least, most int) {
	var ok bool
	if *words, ok = text.Line(*words, least, most); !ok {
		v.add(field, badText)
	}
}

// text is for running text that may be left out: "" clears, what only looks empty is refused.
func (v *verdict) text(field string, words *string, most int) {
	clean, ok := text.Words(*words, 0, most)
	if !ok || clean == "" && *words != "" {
		v.add(field, badText)
	}
	*words = clean
}
