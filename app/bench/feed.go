package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"guanxi/community"
)

const (
	feedCommunities = 5
	feedMembers     = 500
)

func runFeed(ctx context.Context, o Options, emit func(Row)) error {
	for _, callers := range o.callers(32) {
		row, err := feed(ctx, o, callers)
		if err != nil {
			return err
		}
		emit(row)
	}
	return nil
}

// readers are members of communities who look at feeds and campaigns.
type readers struct {
	*world
	people []person
	paths  [][]string // by community: its feed and its campaigns' pages
}

func openReaders(ctx context.Context, o Options, callers, campaigns int) (_ *readers, err error) {
	r := &readers{}
	if r.world, err = openWorld(ctx, o, callers); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	host, err := r.login(ctx, "王姐")
	if err != nil {
		return nil, err
	}
	skus := make([]string, 5)
	for i := range skus {
		if skus[i], err = r.product(ctx, "水果"+strconv.Itoa(i), 1990, 1000); err != nil {
			return nil, err
		}
	}
	communities := make([]string, feedCommunities)
	for i := range communities {
		if communities[i], err = r.community(ctx, host.id, strconv.Itoa(i)); err != nil {
			return nil, err
		}
		paths := []string{"/v1/communities/" + communities[i] + "/feed"}
		for n := range campaigns {
			campaign, err := r.campaign(ctx, host.id, communities[i], fmt.Sprint("feed", i, "-", n), 0, skus...)
			if err != nil {
				return nil, err
			}
			paths = append(paths, "/v1/campaigns/"+campaign)
		}
		r.paths = append(r.paths, paths)
	}
	if r.people, err = r.world.people(ctx, o, "reader", feedMembers); err != nil {
		return nil, err
	}
	return r, each(ctx, o, "join", 32, feedMembers, func(ctx context.Context, i int) error {
		_, err := r.Communities.Join(ctx, community.JoinInput{Community: communities[i%feedCommunities], Member: r.people[i].id})
		return err
	})
}

// request n: in turn somebody's feed and one of the campaigns in it.
func (r *readers) request(n int) request {
	reader := (n / 2) % len(r.people)
	paths := r.paths[reader%feedCommunities]
	path := paths[0]
	if n%2 == 1 {
		path = paths[1+(n/2)%(len(paths)-1)]
	}
	return request{method: http.MethodGet, url: r.URL + path, token: r.people[reader].token, want: http.StatusOK}
}

func feed(ctx context.Context, o Options, callers int) (_ Row, err error) {
	size := o.size(20)
	r, err := openReaders(ctx, o, callers, size)
	if err != nil {
		return Row{}, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	bare, err := openBareServer(ctx)
	if err != nil {
		return Row{}, err
	}
	defer bare.close()
	bytes := map[bool]int{}
	for n := range 2 {
		a, err := send(ctx, r.client, r.request(n))
		if err != nil {
			return Row{}, err
		}
		bytes[n%2 == 0] = len(a.body)
	}
	var all laps
	var ours, theirs lap
	next := 0
	cpu := &profiler{}
	for i := range o.Laps {
		o.Progress("feed", i, o.Laps)
		if err := cpu.start(); err != nil {
			return Row{}, err
		}
		ours, next, err = drive(ctx, callers, next, o.lap(), func(ctx context.Context, _, n int) error {
			_, err := send(ctx, r.client, r.request(n))
			return err
		})
		if err = errors.Join(err, cpu.stop()); err != nil {
			return Row{}, err
		}
		theirs, _, err = drive(ctx, callers, 0, o.lap(), func(ctx context.Context, _, n int) error {
			in := r.request(n)
			_, err := send(ctx, r.client, bareTwin(bare.url, in, http.StatusOK, bytes[strings.HasSuffix(in.url, "/feed")]))
			return err
		})
		if err != nil {
			return Row{}, err
		}
		all.ours, all.reference = append(all.ours, ours), append(all.reference, theirs)
	}
	row := all.row("feed", "", callers, size)
	row.blame(&cpu.parts)
	row.atLeast("ratio", row.Ratio, 0.4)
	row.atMost("p99 ms", row.P99, 20)
	row.nothingWrong()
	return row, cpu.write(o.Profile)
}
