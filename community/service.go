package community

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/fault"
	"guanxi/internal/id"
)

// Products says whether a product can be picked (catalog). Its faults pass through.
type Products interface {
	ProductExists(ctx context.Context, product string) error
}

// Hosting says what the brand lets a member do as a host (community/hosting). Its faults pass through.
type Hosting interface {
	// MayStart answers nil when the member may begin something new.
	MayStart(ctx context.Context, member string) error
	// MayRun answers nil when the member may run what is there.
	MayRun(ctx context.Context, member string) error
}

// Deps is what a Service works with. IDs and Products may be nil; without Products any well-formed product id is
// taken.
type Deps struct {
	Store    *docstore.Store
	Clock    clock.Clock
	IDs      id.Source // not used today: every id here is derived
	Products Products
	Hosting  Hosting
}

// Service is the community domain. Its methods are safe for concurrent use.
//
// Besides the faults named at each method, the store's own errors (docstore.ErrUnavailable, ErrUnclear,
// ErrContended) come through wrapped.
type Service struct {
	collections
	clock    clock.Clock
	products Products
	hosting  Hosting
}

// New opens the collections.
func New(ctx context.Context, d Deps) (*Service, error) {
	if d.Store == nil || d.Clock == nil || d.Hosting == nil {
		return nil, errors.New("community: store, clock and hosting are required")
	}
	opened, err := openCollections(ctx, d.Store)
	if err != nil {
		return nil, fmt.Errorf("community: %w", err)
	}
	return &Service{collections: opened, clock: d.Clock, products: d.Products, hosting: d.Hosting}, nil
}

// Create makes a host's community; the host belongs to it from the start. Repeating it with the same key and
// content answers the community as it is now.
// Codes: COMM_INVALID, COMM_KEY_REUSED, and those of Deps.Hosting.
func (s *Service) Create(ctx context.Context, in CreateInput) (*Community, error) {
	in, err := in.check()
	if err != nil {
		return nil, err
	}
	if !id.Valid(in.Host) {
		return nil, ErrInvalid.With("host", "无法识别 (not an id)")
	}
	if err := s.hosting.MayStart(ctx, in.Host); err != nil {
		return nil, fmt.Errorf("community create: %w", err)
	}
	now := s.clock.Now()
	c := &Community{
		Doc: docstore.Doc{ID: id.Derive("community", in.Host, in.Key)}, Host: in.Host, Name: in.Name, Words: in.Words,
		CreatedAt: now, Made: in,
	}
	c.Emit(EventCreated, Created{Community: c.ID, Host: in.Host, At: now})
	err = s.communities.Insert(ctx, c)
	if docstore.Exists(err) {
		if c, err = s.communities.Get(ctx, c.ID); err == nil && c.Made != in {
			return nil, ErrKeyReused
		}
	}
	if err != nil {
		return nil, fmt.Errorf("community create: %w", err)
	}
	if _, err := s.step(ctx, c, in.Host, Move{Step: StepJoin}); err != nil {
		return nil, fmt.Errorf("community create: %w", err)
	}
	return c, nil
}

// Edit changes those of name, words and notice that are given.
// Codes: COMM_INVALID, COMM_NOT_FOUND, COMM_NOT_HOST.
func (s *Service) Edit(ctx context.Context, in EditInput) (*Community, error) {
	in, err := in.check()
	if err != nil {
		return nil, err
	}
	c, err := s.change(ctx, in.Host, in.Community, func(c *Community) error {
		name, words, notice := c.Name, c.Words, c.Notice
		keep(&c.Name, in.Name)
		keep(&c.Words, in.Words)
		keep(&c.Notice, in.Notice)
		if c.Name == name && c.Words == words && c.Notice == notice {
			return errUnchanged
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("community edit: %w", err)
	}
	return c, nil
}

// Get loads a community.
// Codes: COMM_NOT_FOUND.
func (s *Service) Get(ctx context.Context, community string) (*Community, error) {
	c, err := s.communities.Get(ctx, community)
	if err != nil {
		return nil, fmt.Errorf("community get: %w", asFault(err, ErrNotFound))
	}
	return c, nil
}

// Many loads the communities that exist, by id.
func (s *Service) Many(ctx context.Context, ids []string) (map[string]*Community, error) {
	if len(ids) > docstore.MaxPage {
		return nil, ErrPageInvalid
	}
	found, err := s.communities.GetMany(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("community many: %w", err)
	}
	return found, nil
}

// ByHost lists a host's communities, newest first.
// Codes: COMM_PAGE_INVALID.
func (s *Service) ByHost(ctx context.Context, host string, p Paging) (docstore.Page[Community], error) {
	return find(ctx, s.communities, docstore.By("host", host).Newest(), p)
}

// Hosts walks the hosts of all communities; one who hosts several is visited for each.
func (s *Service) Hosts(ctx context.Context, visit func(host string) error) error {
	if err := s.communities.Each(ctx, docstore.All(), func(c *Community) error { return visit(c.Host) }); err != nil {
		return fmt.Errorf("community hosts: %w", err)
	}
	return nil
}

// RequireHost answers nil when member is the community's host.
// Codes: COMM_NOT_FOUND, COMM_NOT_HOST.
func (s *Service) RequireHost(ctx context.Context, community, member string) error {
	c, err := s.Get(ctx, community)
	if err != nil {
		return err
	}
	if member == "" || c.Host != member {
		return ErrNotHost
	}
	return nil
}

// change updates a community for its host, as long as the brand lets her run it. ErrUnchanged of fn is a success without
// a write.
func (s *Service) change(ctx context.Context, host, community string, fn func(*Community) error) (*Community, error) {
	if err := s.RequireHost(ctx, community, host); err != nil {
		return nil, err
	}
	if err := s.hosting.MayRun(ctx, host); err != nil {
		return nil, err
	}
	var seen Community
	c, err := s.communities.Update(ctx, community, func(c *Community) error {
		if host == "" || c.Host != host {
			return ErrNotHost
		}
		err := fn(c)
		seen = *c
		seen.Points = slices.Clone(c.Points)
		return err
	})
	if errors.Is(err, errUnchanged) {
		return &seen, nil
	}
	return c, asFault(err, ErrNotFound)
}

// Paging asks for one page.
type Paging = docstore.Paging

func find[T any](ctx context.Context, from *docstore.Collection[T], q docstore.Query, p Paging) (docstore.Page[T], error) {
	page, err := from.List(ctx, q, p)
	switch {
	case errors.Is(err, docstore.ErrPage):
		return page, ErrPageInvalid.Because(err)
	case err != nil:
		return page, fmt.Errorf("community list: %w", err)
	}
	return page, nil
}

// asFault turns the store's "not found" into the domain's word for it.
func asFault(err error, missing *fault.Fault) error {
	if errors.Is(err, docstore.ErrNotFound) {
		return missing.Because(err)
	}
	return err
}

// errUnchanged ends an update that has nothing to write, and spares the store the comparison.
var errUnchanged = errors.New("community: nothing to change")
