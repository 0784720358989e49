package demo

import "time"

const (
	worldFormat  = 1
	stateSeeding = "seeding"
	stateReady   = "ready"
)

// World is what the page has to know of the sample data: who there is and where something is going on. It is also
// the mark that seeding was finished.
type World struct {
	Format      int         `json:"format"`
	State       string      `json:"state"`
	SeededAt    time.Time   `json:"seeded_at,omitzero"`
	People      []Person    `json:"people"`
	Communities []Community `json:"communities"`
	Scenes      []Scene     `json:"scenes"`
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

// person finds somebody by the name of the phone.
func (w *World) person(name string) (Person, bool) {
	for _, p := range w.People {
		if p.Person == name {
			return p, true
		}
	}
	return Person{}, false
}
