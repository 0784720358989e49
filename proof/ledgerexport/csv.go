package ledgerexport

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"guanxi/commission"
	"guanxi/internal/money"
)

// bom tells Excel that the file is UTF-8.
const bom = "\uFEFF"

// sheetCSV writes the journal as CSV.
type sheetCSV struct {
	out io.Writer
	csv *csv.Writer
	row []string
}

func newSheetCSV(out io.Writer) *sheetCSV { return &sheetCSV{out: out, csv: csv.NewWriter(out)} }

func (s *sheetCSV) begin(*Options, *books) error {
	if _, err := io.WriteString(s.out, bom); err != nil {
		return err
	}
	return s.csv.Write(journalHeader())
}

func (s *sheetCSV) entry(r *record) error {
	for i := range r.lines {
		s.row = s.row[:0]
		for _, c := range journalRow(r, &r.lines[i]) {
			s.row = append(s.row, plain(c))
		}
		if err := s.csv.Write(s.row); err != nil {
			return err
		}
	}
	return nil
}

func (s *sheetCSV) end(*books, []*commission.Period) error {
	s.csv.Flush()
	return s.csv.Error()
}

func plain(c cell) string {
	switch c := c.(type) {
	case nil:
		return ""
	case string:
		return guard(c)
	case int64:
		return strconv.FormatInt(c, 10)
	case money.Fen:
		return c.Yuan()
	case time.Time:
		return c.Format("2006-01-02 15:04:05")
	}
	return guard(fmt.Sprint(c))
}

// guard keeps a spreadsheet from taking text for a formula: such text gets an apostrophe in front.
func guard(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}
