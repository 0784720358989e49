package commission

import (
	"fmt"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/bson"

	"guanxi/internal/docstore"
)

// witness stands beside the store and reads every write that happens, with a reader of its own. It knows what an entry
// must look like by itself, and adds up whatever is posted.
type witness struct {
	wrong    []string
	entries  map[string]*testimony
	fold     map[string]*fourPots // member → sum of everything posted
	brand    map[string]int64
	orders   map[string]*orderSeen
	numbers  map[string]*numberSeen
	touched  map[string]bool // orders and numbers since last asked
	seals    []sealSeen
	sealedIn map[string]int64
	inSeals  map[string]*fourPots // member → sum of everything sealed
	lines    map[string]int64     // member → statement lines of everything sealed
	folded   int64
	target   int64
	rounds   map[string][]string // settle rounds that are not at an end
}

type sealSeen struct {
	at      int64 // milliseconds
	entries []*testimony
}

// testimony is one posted entry as the witness read it.
type testimony struct {
	id, kind, order, number string
	posts                   []postSeen
}

type postSeen struct {
	account, member string // member "" for the brand's
	pot             int
	amount          int64
	line            int
	role            string
}

type orderSeen struct {
	has     map[earning]*fourPots
	settled map[int]bool
}

type numberSeen struct {
	kinds map[string]bool
	has   map[string]*fourPots
	brand map[string]int64
}

func newWitness() *witness {
	return &witness{
		entries: map[string]*testimony{}, fold: map[string]*fourPots{}, brand: map[string]int64{}, orders: map[string]*orderSeen{},
		numbers: map[string]*numberSeen{}, touched: map[string]bool{}, sealedIn: map[string]int64{}, inSeals: map[string]*fourPots{},
		lines: map[string]int64{}, rounds: map[string][]string{},
	}
}

func (w *witness) object(format string, args ...any) {
	if len(w.wrong) < 10 {
		w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
	}
}

func textIn(body bson.Raw, key string) string {
	s, _ := body.Lookup(key).StringValueOK()
	return s
}

func number(body bson.Raw, key string) int64 {
	n, _ := body.Lookup(key).AsInt64OK()
	return n
}

func (w *witness) see(op docstore.Op, before *docstore.Record) {
	if op.Kind == docstore.Delete && op.Collection != "settle_rounds" {
		w.object("%s %s was deleted", op.Collection, op.ID)
		return
	}
	switch op.Collection {
	case "entries":
		if before == nil {
			w.entry(op.ID, textIn(op.Body, "text"))
		} else if textIn(op.Body, "text") != textIn(before.Body, "text") || op.Body.Lookup("hash").String() != before.Body.Lookup("hash").String() {
			w.object("entry %s was changed", op.ID)
		}
	case "seals":
		if before != nil {
			w.object("seal %s was changed", op.ID)
			return
		}
		w.seal(op)
	case "books":
		w.folded, w.target = number(op.Body, "folded"), number(op.Body, "target")
	case "settle_rounds":
		delete(w.rounds, op.ID)
		if op.Kind != docstore.Delete {
			var round struct {
				Orders []string `bson:"orders"`
			}
			if err := bson.Unmarshal(op.Body, &round); err != nil {
				w.object("round %s: %v", op.ID, err)
			}
			w.rounds[op.ID] = round.Orders
		}
	case "checkpoints", "period_statements", "policies":
		if before != nil {
			w.object("%s %s was changed", op.Collection, op.ID)
		}
	}
}

func (w *witness) entry(id, text string) {
	e := &testimony{id: id}
	sum := int64(0)
	for i, row := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		words := strings.Split(row, " ")
		switch {
		case i == 0:
			e.kind = words[2]
		case words[0] == "order":
			e.order = words[1]
		case words[0] == "number":
			e.number = words[1]
		case words[0] == "post":
			p := w.posting(id, words)
			sum += p.amount
			e.posts = append(e.posts, p)
		}
	}
	if sum != 0 {
		w.object("%s sums to %d: %s", id, sum, text)
	}
	if w.entries[id] != nil {
		w.object("%s was posted twice", id)
	}
	w.entries[id] = e
	w.touched[e.order+e.number] = true
	for _, p := range e.posts {
		if p.member == "" {
			w.brand[p.account] += p.amount
		} else {
			into(w.fold, p.member)[p.pot] += p.amount
		}
	}
	if e.order != "" {
		w.ofOrder(e)
		return
	}
	w.ofNumber(e)
}

func into[K comparable](m map[K]*fourPots, key K) *fourPots {
	if m[key] == nil {
		m[key] = &fourPots{}
	}
	return m[key]
}

func (w *witness) posting(id string, words []string) postSeen {
	p := postSeen{account: words[1]}
	var err error
	if p.amount, err = strconv.ParseInt(words[2], 10, 64); err != nil || p.amount == 0 {
		w.object("%s posts %q", id, words[2])
	}
	for _, word := range words[3:] {
		switch key, value, _ := strings.Cut(word, "="); key {
		case "line":
			p.line, _ = strconv.Atoi(value)
		case "role":
			p.role = value
		}
	}
	parts := strings.Split(p.account, ":")
	switch {
	case parts[0] == "brand" && len(parts) == 2:
	case len(parts) == 3 && (parts[0] == "member" || parts[0] == "staff"):
		p.member = strings.TrimPrefix(parts[0]+":"+parts[1], "member:")
		p.pot = strings.Index("pending     available   withdrawing withdrawn", parts[2]) / 12
	default:
		w.object("%s posts to %s", id, p.account)
	}
	return p
}

func (w *witness) ofOrder(e *testimony) {
	o := w.orders[e.order]
	if o == nil {
		o = &orderSeen{has: map[earning]*fourPots{}, settled: map[int]bool{}}
		w.orders[e.order] = o
	}
	for _, p := range e.posts {
		if p.member != "" {
			into(o.has, earning{account: p.member, role: p.role, line: p.line})[p.pot] += p.amount
			o.settled[p.line] = o.settled[p.line] || e.kind == "settle"
		}
	}
}

func (w *witness) ofNumber(e *testimony) {
	n := w.numbers[e.number]
	if n == nil {
		n = &numberSeen{kinds: map[string]bool{}, has: map[string]*fourPots{}, brand: map[string]int64{}}
		w.numbers[e.number] = n
	}
	n.kinds[e.kind] = true
	if n.kinds["confirm"] && n.kinds["fail"] {
		w.object("%s has two outcomes", e.number)
	}
	for _, p := range e.posts {
		if p.member == "" {
			n.brand[p.account] += p.amount
		} else {
			into(n.has, p.member)[p.pot] += p.amount
		}
	}
}

func (w *witness) seal(op docstore.Op) {
	_, digits, _ := strings.Cut(op.ID, "/")
	if n, err := strconv.Atoi(digits); err != nil || n != len(w.seals)+1 {
		w.object("seal %s came after %d seals", op.ID, len(w.seals))
	}
	at, _ := op.Body.Lookup("at").DateTimeOK()
	if len(w.seals) > 0 && at < w.seals[len(w.seals)-1].at {
		w.object("seal %s goes back in time", op.ID)
	}
	s := sealSeen{at: at}
	for id := range strings.SplitSeq(textIn(op.Body, "entries"), "\n") {
		e := w.entries[id]
		if e == nil {
			w.object("seal %s holds %s, which was never posted", op.ID, id)
			continue
		}
		if w.sealedIn[id] != 0 {
			w.object("%s is in seal %d and in seal %s", id, w.sealedIn[id], op.ID)
		}
		w.sealedIn[id] = int64(len(w.seals) + 1)
		for _, before := range e.parents() {
			if w.entries[before] != nil && w.sealedIn[before] == 0 {
				w.object("seal %s holds %s, and %s is not sealed yet", op.ID, id, before)
			}
		}
		s.entries = append(s.entries, e)
		mine := map[string]bool{}
		for _, p := range e.posts {
			if p.member != "" {
				into(w.inSeals, p.member)[p.pot] += p.amount
				mine[p.member] = true
			}
		}
		for member := range mine {
			w.lines[member]++
		}
	}
	w.seals = append(w.seals, s)
}

// parents are what has to be sealed before it.
func (e *testimony) parents() []string {
	return map[string][]string{
		"settle": {"accrue/" + e.order}, "clawback": {"accrue/" + e.order}, "confirm": {"withdraw/" + e.number},
		"fail": {"withdraw/" + e.number}, "tax": {"outcome/" + e.number}, "return": {"outcome/" + e.number, "tax/" + e.number},
	}[e.kind]
}

// whole tells whether purses must show everything sealed.
func (w *witness) whole() bool { return w.folded == int64(len(w.seals)) && w.folded >= w.target }

// settling tells whether a round that is not at an end works on the order.
func (w *witness) settling(order string) bool {
	for _, orders := range w.rounds {
		for _, o := range orders {
			if o == order {
				return true
			}
		}
	}
	return false
}
