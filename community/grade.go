package community

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/internal/text"
)

// Grading is what a host is to the brand: a grade the brand's staff gives, by which pay may differ. Its id is the
// host's member id. Grades have free names; the domain attaches no meaning and no order to them.
type Grading struct {
	docstore.Doc `bson:",inline"`
	Grade        string      `bson:"grade"`   // "" is none
	History      []GradeMove `bson:"history"` // the first and the latest MaxGradeMoves-1
}

// GradeMove is one line of a host's grading: who gave which grade, when and why.
type GradeMove struct {
	Grade  string    `bson:"grade"`
	Was    string    `bson:"was"`
	By     string    `bson:"by"` // the person of staff
	Reason string    `bson:"reason"`
	At     time.Time `bson:"at"`
}

// MaxGradeMoves bounds the history of a host's grades.
const MaxGradeMoves = 200

// gradePattern is the alphabet of grades: they stand in commission rules and in ledger entries.
var gradePattern = regexp.MustCompile(`^[a-z0-9-]{1,20}$`)

// SetGrade gives a host a grade, or takes it away with ""; by is the person of staff who decided, reason says why in
// at most 200 characters. Giving the grade the host has changes nothing. It counts for orders placed from now on: an
// order keeps the grade it was placed under.
// Codes: COMM_INVALID.
func (s *Service) SetGrade(ctx context.Context, host, grade, by, reason string) error {
	v := verdict{}
	if !id.Valid(host) || len(host) > 100 {
		v.add("host", "无法识别 (not an id)")
	}
	if grade != "" && !gradePattern.MatchString(grade) {
		v.add("grade", "须为 1 到 20 个小写字母、数字或连字符 (1 to 20 of a-z, 0-9 and -)")
	}
	if clean, ok := text.Line(by, 1, 100); !ok || clean != by || len(by) > 100 {
		v.add("by", "须说明由谁评定 (who decided is missing)")
	}
	v.line("reason", &reason, 1, MaxReason)
	if err := v.fault(); err != nil {
		return err
	}
	now := s.clock.Now()
	_, err := s.gradings.Upsert(ctx, host, func(g *Grading) error {
		if g.Grade == grade {
			return errUnchanged
		}
		move := GradeMove{Grade: grade, Was: g.Grade, By: by, Reason: reason, At: now}
		g.Grade, g.History = grade, append(g.History, move)
		if len(g.History) > MaxGradeMoves {
			g.History = append(g.History[:1], g.History[2:]...)
		}
		g.Emit(EventGraded, Graded{Host: host, Grade: grade, Was: move.Was, By: by, At: now})
		return nil
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return fmt.Errorf("community set grade: %w", err)
	}
	return nil
}

// Grade tells a host's grade; "" is none.
func (s *Service) Grade(ctx context.Context, host string) (string, error) {
	g, err := s.Grading(ctx, host)
	return g.Grade, err
}

// Grading gives a host's grade with its history; a host nobody has graded has an empty one.
func (s *Service) Grading(ctx context.Context, host string) (Grading, error) {
	if !id.Valid(host) {
		return Grading{}, nil
	}
	g, err := s.gradings.Get(ctx, host)
	if errors.Is(err, docstore.ErrNotFound) {
		return Grading{}, nil
	}
	if err != nil {
		return Grading{}, fmt.Errorf("community grading: %w", err)
	}
	return *g, nil
}
