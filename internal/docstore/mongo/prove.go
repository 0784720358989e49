package mongo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/mongo/options"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
)

// Finding is one thing the driver relies on, and whether the server does it.
type Finding struct {
	Good  bool
	Words string // a sentence
}

// maxSkew is by how much the server's clock may differ from ours before people should look. Nothing breaks by it: orders are
// closed that much too early or too late.
const maxSkew = 2 * time.Second

// Prove tries on a live server everything this driver relies on, in a database of its own that it drops, and tells what it
// found. Of the program's database it looks at the shard keys only. An error means that the server cannot be tried.
func Prove(ctx context.Context, o Options) ([]Finding, error) {
	scratch := "guanxi_doctor_" + strings.ToLower(rand.Text()[:10])
	program := o.Database
	o.Database, o.ReadOnly = scratch, false
	d, err := Open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { _ = d.Close() }()
	p := &prover{driver: d, program: program}
	for _, try := range []func(context.Context) error{p.topology, p.shards, p.confirmed, p.repeated, p.races, p.order, p.patience} {
		if err := try(ctx); err != nil {
			p.say(false, "could not be tried: %v", err)
		}
	}
	away, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.timeout)
	defer cancel()
	err = d.database.Drop(away)
	p.say(err == nil, "the scratch database %s is dropped%s", scratch, because(err))
	return p.found, nil
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

type prover struct {
	driver  *Driver
	program string
	found   []Finding
	router  bool
}

func (p *prover) say(good bool, words string, arguments ...any) {
	p.found = append(p.found, Finding{good, fmt.Sprintf(words, arguments...)})
}

// topology: what the server is, of which version, and what its clock says.
func (p *prover) topology(ctx context.Context) error {
	admin := p.driver.client.Database("admin")
	var build struct{ Version string }
	if err := admin.RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&build); err != nil {
		return fmt.Errorf("version: %w", err)
	}
	var hello struct {
		Wire     int32     `bson:"maxWireVersion"`
		Set      string    `bson:"setName"`
		Hosts    []string  `bson:"hosts"`
		Message  string    `bson:"msg"`
		Sessions *int32    `bson:"logicalSessionTimeoutMinutes"`
		Now      time.Time `bson:"localTime"`
	}
	before := clock.System{}.Now()
	if err := admin.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	after := clock.System{}.Now()
	p.say(hello.Wire >= oldestWire, "the server is MongoDB %s and speaks wire version %d (4.4 or newer is needed)", build.Version, hello.Wire)
	p.router = hello.Message == "isdbgrid"
	switch {
	case p.router:
		p.say(true, "it is the router of a sharded cluster")
	case hello.Set != "":
		p.say(true, "it is a member of the replica set %s of %d (%s)", hello.Set, len(hello.Hosts), strings.Join(hello.Hosts, ", "))
	default:
		p.say(false, "it is neither a replica set nor a router: a write whose answer is lost cannot be repeated, and nothing survives its disk")
	}
	p.say(hello.Sessions != nil, "it has sessions, without which writes cannot be repeated safely")
	skew := max(hello.Now.Sub(after), before.Sub(hello.Now), 0)
	p.say(skew <= maxSkew, "its clock and this machine's differ by %s at least (%s are harmless)", skew.Round(time.Millisecond), maxSkew)
	return nil
}

// shards: in a sharded cluster each of the program's collections stays whole, or is sharded by a key that begins as all its
// unique indexes do.
func (p *prover) shards(ctx context.Context) error {
	if !p.router {
		p.say(true, "nothing is sharded, so there are no shard keys to check")
		return nil
	}
	cursor, err := p.driver.client.Database("config").Collection("collections").Find(ctx, bson.D{{Key: "_id", Value: bson.D{
		{Key: "$gte", Value: p.program + "."}, {Key: "$lt", Value: p.program + "/"},
	}}})
	if err != nil {
		return fmt.Errorf("shard keys: %w", err)
	}
	var sharded []struct {
		Name    string `bson:"_id"`
		Key     bson.D `bson:"key"`
		Dropped bool   `bson:"dropped"`
	}
	if err := cursor.All(ctx, &sharded); err != nil {
		return fmt.Errorf("shard keys: %w", err)
	}
	p.say(true, "%d collections of %s are sharded, all others are whole", len(sharded), p.program)
	for _, one := range sharded {
		_, name, _ := strings.Cut(one.Name, ".")
		if one.Dropped || len(one.Key) == 0 {
			continue
		}
		unlike, err := p.unlike(ctx, name, one.Key[0].Key)
		if err != nil {
			return err
		}
		p.say(len(unlike) == 0, "%s is sharded by %s, as its unique indexes begin%s", name, one.Key[0].Key, except(unlike))
	}
	return nil
}

func except(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ", but for " + strings.Join(names, ", ")
}

// unlike lists the unique indexes of a collection that do not begin with a field.
func (p *prover) unlike(ctx context.Context, collection, field string) (names []string, err error) {
	found, err := p.driver.client.Database(p.program).Collection(collection).Indexes().ListSpecifications(ctx)
	if err != nil {
		return nil, fmt.Errorf("indexes of %s: %w", collection, err)
	}
	for _, x := range found {
		keys, err := x.KeysDocument.Elements()
		if err == nil && x.Unique != nil && *x.Unique && len(keys) > 0 && keys[0].Key() != field {
			names = append(names, x.Name)
		}
	}
	return names, nil
}

// confirmed: a majority confirms writes, and a majority read sees them.
func (p *prover) confirmed(ctx context.Context) error {
	c := p.driver.database.Collection("confirmed")
	began := clock.StartStopwatch()
	_, err := c.InsertOne(ctx, bson.D{{Key: "_id", Value: "one"}})
	p.say(err == nil, "a write is confirmed by a majority, journalled (%s)%s", began.Elapsed().Round(time.Millisecond), because(err))
	if err == nil {
		err = c.FindOne(ctx, bson.D{{Key: "_id", Value: "one"}}).Err()
		p.say(err == nil, "a majority read sees it at once%s", because(err))
	}
	return nil
}

// repeated: one statement sent twice under one number is carried out once.
func (p *prover) repeated(ctx context.Context) error {
	session, err := p.driver.client.StartSession()
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	defer session.EndSession(ctx)
	command := bson.D{
		{Key: "insert", Value: "repeated"}, {Key: "documents", Value: bson.A{bson.D{{Key: "_id", Value: "one"}}}}, {Key: "txnNumber", Value: int64(1)},
		{Key: "writeConcern", Value: bson.D{{Key: "w", Value: "majority"}, {Key: "j", Value: true}}},
	}
	for range 2 {
		var out struct {
			Errors []bson.D `bson:"writeErrors"`
		}
		if err = p.driver.database.RunCommand(mongo.NewSessionContext(ctx, session), command).Decode(&out); err != nil || len(out.Errors) > 0 {
			break
		}
	}
	p.say(err == nil, "a write that is sent twice under one number is carried out once and answered twice%s", because(err))
	return nil
}

// trial is the document of the races.
type trial struct {
	docstore.Doc `bson:",inline"`
	Owner        string `bson:"owner"`
	Count        int64  `bson:"count"`
}

const racers = 16

// races: of many that want one value of a unique index, by insert and by upsert, one gets it and the others are told by name;
// of many changes of one document none is lost.
func (p *prover) races(ctx context.Context) error {
	store, err := docstore.New(docstore.Config{Driver: lent{p.driver}, Clock: clock.System{}, Keys: docstore.BlindKeyRing()})
	if err != nil {
		return err
	}
	docs, err := docstore.Open[trial](ctx, store, docstore.Spec{Name: "races", Indexes: []docstore.Index{{Name: "owner", Fields: []string{"owner"}, Unique: true}}})
	if err != nil {
		return err
	}
	p.race("of %d inserts of one unique value one is taken, and the others are told by which index", func(n int) error {
		return docs.Insert(ctx, &trial{Doc: docstore.Doc{ID: fmt.Sprint("i", n)}, Owner: "insert"})
	})
	p.race("of %d upserts of one unique value one is taken, and the others are told by which index", func(n int) error {
		_, err := docs.Upsert(ctx, fmt.Sprint("u", n), func(t *trial) error { t.Owner = "upsert"; return nil })
		return err
	})
	failures := together(func(n int) error {
		_, err := docs.Upsert(ctx, "count", func(t *trial) error { t.Owner, t.Count = "count", t.Count+1; return nil })
		return err
	})
	var count int64
	if one, err := docs.Get(ctx, "count"); err == nil {
		count = one.Count
	}
	p.say(count == racers && errors.Join(failures...) == nil, "of %d changes of one document at once none is lost%s", racers, because(errors.Join(failures...)))
	return nil
}

func (p *prover) race(words string, try func(n int) error) {
	taken, told := 0, 0
	for _, err := range together(try) {
		index, exists := docstore.ExistsIn(err)
		switch {
		case err == nil:
			taken++
		case exists && index == "owner":
			told++
		}
	}
	p.say(taken == 1 && told == racers-1, words, racers)
}

func together(try func(n int) error) []error {
	errs := make([]error, racers)
	var all sync.WaitGroup
	for n := range racers {
		all.Go(func() { errs[n] = try(n) })
	}
	all.Wait()
	return errs
}

// lent is a driver that its borrower does not close.
type lent struct{ docstore.Driver }

func (lent) Close() error { return nil }

// order: texts are compared byte by byte, as the other driver does.
func (p *prover) order(ctx context.Context) error {
	c := p.driver.database.Collection("order")
	want := []string{"A", "B", "a", "b", "é", "一", "关"}
	for i := range want {
		if _, err := c.InsertOne(ctx, bson.D{{Key: "_id", Value: want[len(want)-1-i]}}); err != nil {
			return fmt.Errorf("order: %w", err)
		}
	}
	cursor, err := c.Find(ctx, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: 1}}).SetHint("_id_"))
	if err != nil {
		return fmt.Errorf("order: %w", err)
	}
	var found []struct {
		ID string `bson:"_id"`
	}
	if err := cursor.All(ctx, &found); err != nil {
		return fmt.Errorf("order: %w", err)
	}
	got := make([]string, len(found))
	for i := range found {
		got[i] = found[i].ID
	}
	p.say(slices.Equal(got, want), "texts stand in the order of their bytes, without a collation (%s)", strings.Join(got, " "))
	return nil
}

// patience: a read carries the time after which the server gives it up.
func (p *prover) patience(ctx context.Context) error {
	err := p.driver.database.Collection("order").FindOne(ctx, bson.D{{Key: "_id", Value: "A"}}, options.FindOne().SetMaxTime(time.Second)).Err()
	p.say(err == nil, "a read may carry the time after which the server gives it up (maxTimeMS)%s", because(err))
	return nil
}
