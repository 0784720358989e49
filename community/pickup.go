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
		Phone: docstore.Encrypted(in.Phone), Hours: in.Hours,
	}
	_, err = s.change(ctx, host, community, func(c *Community) error {
		if there := c.point(point.ID); there != nil {
			same := *there
			if same.Closed = false; same != point {
				return ErrKeyReused
			}
			return errUnchanged
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
	_, err := s.change(ctx, host, community, func(c *Community) error {
		p := c.point(point)
		if p == nil {
			return ErrPointNotFound
		}
		if p.Closed {
			return errUnchanged
		}
		p.Closed = true
		return nil
	})
	if err != nil {
		return fmt.Errorf("community close pickup point: %w", err)
	}
	return nil
}

// PickupPoint gives the name of an open pickup point of a community.
// Codes: COMM_NOT_FOUND, COMM_POINT_NOT_FOUND.
func (s *Service) PickupPoint(ctx context.Context, community, point string) (name string, err error) {
	c, err := s.Get(ctx, community)
	if err != nil {
		return "", err
	}
	p := c.point(point)
	if p == nil || p.Closed {
		return "", ErrPointNotFound
	}
	return p.Name, nil
}

func (c *Community) point(pointID string) *Point {
	i := slices.IndexFunc(c.Points, func(p Point) bool { return p.ID == pointID })
	if i < 0 {
		return nil
	}
	return &c.Points[i]
}
