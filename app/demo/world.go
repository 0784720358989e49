package demo

import (
	"time"

	"guanxi/staff"
)

const (
	worldFormat  = 2
	stateSeeding = "seeding"
	stateReady   = "ready"
)

// World is what the page has to know of the sample data: who there is and where something is going on. It is also
// the mark that seeding was finished.
type World struct {
	Format      int         `json:"format"`
	State       string      `json:"state"`
	Since       string      `json:"since,omitempty"` // the first business day, 2006-01-02
	SeededAt    time.Time   `json:"seeded_at,omitzero"`
	People      []Person    `json:"people"`
	Communities []Community `json:"communities"`
	Scenes      []Scene     `json:"scenes"`
	Purses      []Purse     `json:"purses"`
	Months      []string    `json:"months"` // closed, oldest first
	Operators   []Operator  `json:"operators"`
}

// Person is somebody whose phone the visitor may take in hand.
type Person struct {
	Person    string `json:"person"` // the sandbox's name of the phone
	Member    string `json:"member"`
	Nickname  string `json:"nickname"`
	Host      bool   `json:"host"`
	Community string `json:"community,omitempty"` // where a shopper is at home
	Words     string `json:"words,omitempty"`
}

// Community is one of the sample communities.
type Community struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Host string `json:"host"` // Person
}

// Scene is a campaign worth looking at, with the share by which it is opened.
type Scene struct {
	Campaign  string `json:"campaign"`
	Title     string `json:"title"`
	Community string `json:"community"`
	Host      string `json:"host"`   // Person
	Share     string `json:"share"`  // share id
	Sharer    string `json:"sharer"` // Person
	Buyer     string `json:"buyer"`  // Person who has not bought yet
	Words     string `json:"words"`  // why it is interesting
	Over      bool   `json:"over"`   // nobody can buy any more
}

// Purse is a purse worth opening. State, Number and Words say how it stands.
type Purse struct {
	Person string `json:"person"`
	State  string `json:"state"`            // of the open withdrawal; "ready" when one can be asked for, "empty" when none
	Number string `json:"number,omitempty"` // of the open withdrawal
	Words  string `json:"words"`
}

// Operator is one of the brand's staff with the password everybody may know: whoever reaches a demo may be anybody in
// it, and nothing else is behind the password.
type Operator struct {
	Login    string       `json:"login"`
	Name     string       `json:"name"`
	Password string       `json:"password"`
	Roles    []staff.Role `json:"roles"`
	Words    string       `json:"words"` // what the person is for
}

// person finds somebody by the name of the phone.
func (w *World) person(name string) (Person, bool) {
	for _, p := range w.People {
		if p.Person == name {
			return p, true
		}
	}
	return Person{}, false
}
