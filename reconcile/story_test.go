package reconcile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"guanxi/internal/docstore"
	"guanxi/internal/money"
)

// TestStories plays the text tables in testdata; testdata/README.txt says how to read them.
func TestStories(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.story")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split("\n"+string(text), "\nstory ")[1:] {
			name, body, _ := strings.Cut(part, "\n")
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				play(t, body)
			})
		}
	}
}

type teller struct {
	*world
	statement Statement
}

func play(t *testing.T, body string) {
	s := &teller{statement: Trade}
	config := Config{Since: "2026-03-01"}
	for n, line := range strings.Split(body, "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if words[0] == "config" {
			if s.world != nil {
				t.Fatal("config comes first")
			}
			for _, w := range words[1:] {
				key, value, _ := strings.Cut(w, "=")
				switch key {
				case "fee":
					config.FeeRate = 60
				case "apps":
					config.Apps = append(config.Apps, value)
				case "accounts":
					for _, a := range strings.Split(value, ",") {
						config.Accounts = append(config.Accounts, Statement(a))
					}
				case "expected":
					config.Expected = append(config.Expected, strings.ReplaceAll(value, "_", " "))
				default:
					t.Fatalf("line %d: config %s", n+1, key)
				}
			}
			continue
		}
		if s.world == nil {
			s.world = newWorld(t, config)
		}
		if err := s.do(t, words); err != nil {
			t.Fatalf("line %d: %s: %v", n+1, line, err)
		}
	}
}

func (s *teller) do(t *testing.T, words []string) error {
	t.Helper()
	arg := func(n int) string {
		if n < len(words) {
			return words[n]
		}
		return ""
	}
	day := arg(1)
	switch words[0] {
	case "statement":
		s.statement = Statement(arg(1))
	case "ours":
		return s.putOurs(t, words[1:])
	case "forget":
		delete(s.ours.facts, factKey{Movement(arg(1)), arg(2)})
	case "bill":
		return s.putBill(t, words[1:])
	case "unbill":
		d := s.bills.day(s.statement, day)
		d.trade = slices.DeleteFunc(d.trade, func(l TradeLine) bool { return l.line(0).Number == arg(2) })
		d.funds = slices.DeleteFunc(d.funds, func(l FundLine) bool { return l.Number == arg(2) })
	case "totals":
		var lines int64
		if _, err := fmt.Sscan(arg(2), &lines); err != nil {
			return err
		}
		in, err := money.ParseYuan(arg(3))
		out, errOut := money.ParseYuan(arg(4))
		if err != nil || errOut != nil {
			return fmt.Errorf("amounts: %w %w", err, errOut)
		}
		s.bills.day(s.statement, day).totals = &Totals{Lines: lines, In: in, Out: out}
	case "answer":
		s.bills.day(s.statement, day).answer = map[string]error{
			"creating": ErrNotYet, "normal": nil, "refused": &Unreadable{Words: "第 3 行：手续费：无法读取"},
		}[arg(2)]
	case "reconsider":
		return s.Reconsider(t.Context(), arg(1))
	case "seen":
		return s.wantSeen(t, day, words[2:])
	case "clock":
		s.clock.Set(at(t, arg(1), arg(2)))
	case "tend":
		s.tend(t)
	case "tend!": // something fails meanwhile
		for range 5 {
			_, _ = s.Tend(t.Context())
		}
	case "again":
		_, err := s.Again(t.Context(), s.statement, day)
		return err
	case "resolve":
		return s.resolve(t, words[1:])
	case "want":
		return s.want(t, day, words[2:])
	default:
		return fmt.Errorf("unknown word %s", words[0])
	}
	return nil
}

// ours <movement> <number> <yuan> <state> [<day> <time>] [platform number]
func (s *teller) putOurs(t *testing.T, w []string) error {
	amount, err := money.ParseYuan(w[2])
	if err != nil {
		return err
	}
	f := Fact{Move: Movement(w[0]), Number: w[1], Amount: amount, State: FactState(w[3])}
	if f.State == FactDone {
		f.At = at(t, w[4], w[5])
		if len(w) > 6 {
			f.Platform = w[6]
		}
	}
	s.ours.put(f)
	return nil
}

// bill <day> <time> <kind> <number> <yuan> <fee or flow> <platform number>
func (s *teller) putBill(t *testing.T, w []string) error {
	amount, err := money.ParseYuan(w[4])
	if err != nil {
		return err
	}
	d, when := s.bills.day(s.statement, w[0]), at(t, w[0], w[1])
	kind, extra, _ := strings.Cut(w[2], ":")
	if s.statement != Trade {
		name, kind, both := strings.Cut(kind, "/")
		if !both {
			kind = name
		}
		l := FundLine{At: when, Name: name, Type: kind, In: extra == "in", Number: w[3], Amount: amount, Flow: "F" + w[3]}
		if w[3] == "-" {
			l.Number = ""
		}
		for _, more := range w[5:] {
			l.Note = strings.TrimPrefix(more, "note=")
		}
		d.funds = append(d.funds, l)
		return nil
	}
	l := TradeLine{At: when, State: "SUCCESS", Number: w[3], Amount: amount, Settled: amount}
	if kind == "refund" {
		l.State, l.Number, l.RefundNumber, l.RefundState = "REFUND", "O", w[3], extra
	}
	for _, more := range w[5:] {
		key, value, _ := strings.Cut(more, "=")
		into := map[string]*money.Fen{"fee": &l.Fee, "settled": &l.Settled, "coupon": &l.Coupon}[key]
		switch {
		case into != nil:
			if *into, err = money.ParseYuan(value); err != nil {
				return err
			}
		case key == "app":
			l.App = value
		default:
			l.TransactionID, l.RefundID = value, value
		}
	}
	d.trade = append(d.trade, l)
	return nil
}

// resolve <day> <number> <words>
func (s *teller) resolve(t *testing.T, w []string) error {
	for _, task := range s.tasksOf(t, w[0]) {
		if task.Number == w[1] && task.State == TaskOpen {
			_, err := s.Resolve(t.Context(), Resolution{Task: task.ID, By: "clerk", Words: strings.Join(w[2:], " ")})
			return err
		}
	}
	return fmt.Errorf("no open task about %s", w[1])
}

func (s *teller) tasksOf(t *testing.T, day string) []*Task {
	t.Helper()
	page, err := s.TasksOf(t.Context(), s.statement, day, docstore.Paging{First: 200})
	if err != nil {
		t.Fatal(err)
	}
	return page.Items
}

// want <day> <state> [<difference>/<movement>/<number>/<task state>…]
func (s *teller) want(t *testing.T, day string, w []string) error {
	r, err := s.Get(t.Context(), s.statement, day)
	if err != nil {
		return err
	}
	got := []string{}
	for _, task := range s.tasksOf(t, day) {
		about := []string{string(task.Difference)}
		if task.Move != "" {
			about = append(about, string(task.Move))
		}
		number := strings.ReplaceAll(task.Number, " ", "_")
		got = append(got, strings.Join(append(about, number, string(task.State)), "/"))
	}
	slices.Sort(got)
	got = append([]string{string(r.State)}, got...)
	slices.Sort(w[1:])
	if diff := cmp.Diff(w, got); diff != "" {
		return fmt.Errorf("-want +got\n%s", diff)
	}
	return nil
}

// seen <day> <name>=<value>…: what the run has seen that is no difference, all of it.
func (s *teller) wantSeen(t *testing.T, day string, w []string) error {
	r, err := s.Get(t.Context(), s.statement, day)
	if err != nil {
		return err
	}
	got := []string{}
	for _, one := range []struct {
		name  string
		value int64
	}{
		{"foreign", r.Seen.Foreign},
		{"foreign-in", int64(r.Seen.ForeignIn)},
		{"foreign-out", int64(r.Seen.ForeignOut)},
		{"coupons", r.Seen.Coupons},
		{"coupon-in", int64(r.Seen.CouponIn)},
		{"coupon-out", int64(r.Seen.CouponOut)},
		{"processing", r.Seen.Processing},
		{"fees", int64(r.Seen.Fees)},
		{"fees-back", int64(r.Seen.FeesBack)},
		{"net-refunds", r.Seen.NetRefunds},
	} {
		if one.value != 0 {
			got = append(got, fmt.Sprintf("%s=%d", one.name, one.value))
		}
	}
	if diff := cmp.Diff(w, got); diff != "" {
		return fmt.Errorf("-want +got\n%s", diff)
	}
	return nil
}
