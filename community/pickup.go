package community

import (
	"context"
	"fmt"
	"slices"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
)

// AddPickupPoint adds a pickup point. Repeating it with the same key and content answers the same point.
// Codes: COMM_INVALID, COMM_NOT_FOUND, COMM_NOT_HOST, COMM_POINTS_FULL, COMM_KEY_REUSED.
func (s *Service) AddPickupPoint(ctx context.Context, host, community string, in PickupInput) (Point, error) {
	in, err := in.check()
	if err != nil {
		return Point{}, err
	}
	point := Point{
		ID: id.Derive("point", community, in.Key), Name: in.Name, Address: in.Address,
		Phone: docstore.Encrypted(in.Phone), Hours: in.Hours, Keeper: in.Keeper, Asked: in.Keeper,
	}
	belongs, err := s.canKeep(ctx, community, in.Keeper)
	if err != nil {
		return Point{}, err
	}
	_, err = s.change(ctx, host, community, func(c *Community) error {
		if there := c.point(point.ID); there != nil {
			same := *there
			if same.Closed, same.Keeper = false, same.Asked; same != point {
				return ErrKeyReused
			}
			return errUnchanged
		}
		if !belongs {
			return errKeeper()
		}
		if len(c.Points) >= MaxPoints {
			return ErrPointsFull
		}
		c.Points = append(c.Points, point)
		return nil
	})
	if err != nil {
		return Point{}, fmt.Errorf("community add pickup point: %w", err)
	}
	return point, nil
}

// ClosePickupPoint takes a point out of use; orders that name it keep it.
// Codes: COMM_NOT_FOUND, COMM_NOT_HOST, COMM_POINT_NOT_FOUND.
func (s *Service) ClosePickupPoint(ctx context.Context, host, community, point string) error {
	_, err := s.change(ctx, host, community, closing(point))
	if err != nil {
		return fmt.Errorf("community close pickup point: %w", err)
	}
	return nil
}

func closing(point string) func(*Community) error {
	return func(c *Community) error {
		p := c.point(point)
		if p == nil {
			return ErrPointNotFound
		}
		if p.Closed {
			return errUnchanged
		}
		p.Closed = true
		return nil
	}
}

// SetKeeper names the member who keeps a pickup point, or nobody with "". It counts for orders placed from now on.
// Codes: COMM_INVALID (also when the keeper does not belong to the community), COMM_NOT_FOUND, COMM_NOT_HOST,
// COMM_POINT_NOT_FOUND.
func (s *Service) SetKeeper(ctx context.Context, host, community, point, keeper string) error {
	if keeper != "" && (!id.Valid(keeper) || len(keeper) > 100) {
		return errKeeper()
	}
	belongs, err := s.canKeep(ctx, community, keeper)
	if err != nil {
		return err
	}
	_, err = s.change(ctx, host, community, func(c *Community) error {
		p := c.point(point)
		switch {
		case p == nil:
			return ErrPointNotFound
		case p.Keeper == keeper:
			return errUnchanged
		case !belongs:
			return errKeeper()
		}
		p.Keeper = keeper
		return nil
	})
	if err != nil {
		return fmt.Errorf("community set keeper: %w", err)
	}
	return nil
}

// canKeep tells whether somebody may keep a point of this community; nobody always may.
func (s *Service) canKeep(ctx context.Context, community, keeper string) (bool, error) {
	if keeper == "" {
		return true, nil
	}
	return s.IsMember(ctx, community, keeper)
}

func errKeeper() error {
	return ErrInvalid.With("keeper", "自提点负责人须是本社群成员 (the keeper must belong to the community)")
}

// PickupPoint gives an open pickup point of a community as it is now. Its Keeper is empty when the keeper has left the
// community.
// Codes: COMM_NOT_FOUND, COMM_POINT_NOT_FOUND.
func (s *Service) PickupPoint(ctx context.Context, community, point string) (Point, error) {
	c, err := s.Get(ctx, community)
	if err != nil {
		return Point{}, err
	}
	p := c.point(point)
	if p == nil || p.Closed {
		return Point{}, ErrPointNotFound
	}
	if belongs, err := s.canKeep(ctx, community, p.Keeper); err != nil {
		return Point{}, err
	} else if !belongs {
		p.Keeper = ""
	}
	return *p, nil
}

// PickupPoints lists the open pickup points of a community. Codes: COMM_NOT_FOUND.
func (s *Service) PickupPoints(ctx context.Context, community string) ([]string, error) {
	c, err := s.Get(ctx, community)
	if err != nil {
		return nil, err
	}
	var open []string
	for i := range c.Points {
		if !c.Points[i].Closed {
			open = append(open, c.Points[i].ID)
		}
	}
	return open, nil
}

func (c *Community) point(pointID string) *Point {
	i := slices.IndexFunc(c.Points, func(p Point) bool { return p.ID == pointID })
	if i < 0 {
		return nil
	}
	return &c.Points[i]
}
