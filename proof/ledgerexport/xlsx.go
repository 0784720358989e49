package ledgerexport

import (
	"io"
	"strconv"
	"time"

	"github.com/xuri/excelize/v2"

	"guanxi/commission"
	"guanxi/internal/money"
)

// maxRows is how many rows a sheet can have.
const maxRows = 1_048_576

// workbook writes journal, trial balance, purses and periods as sheets. Rows go to a temporary file, not to memory.
type workbook struct {
	out     io.Writer
	rows    int // of one sheet, header included
	file    *excelize.File
	journal *sheet
	bold    int
	yuan    int
	moment  int
}

func newWorkbook(out io.Writer, rows int) *workbook {
	return &workbook{out: out, rows: rows, file: excelize.NewFile()}
}

// Close removes the temporary files.
func (w *workbook) Close() error { return w.file.Close() }

func (w *workbook) begin(o *Options, _ *books) (err error) {
	yuan, moment := "#,##0.00", "yyyy-mm-dd hh:mm:ss"
	for _, s := range []struct {
		id    *int
		style excelize.Style
	}{
		{&w.bold, excelize.Style{Font: &excelize.Font{Bold: true}}},
		{&w.yuan, excelize.Style{CustomNumFmt: &yuan}},
		{&w.moment, excelize.Style{CustomNumFmt: &moment}},
	} {
		if *s.id, err = w.file.NewStyle(&s.style); err != nil {
			return err
		}
	}
	if err := w.file.SetDocProps(&excelize.DocProperties{Title: "guanxi " + o.Book, Creator: "guanxi"}); err != nil {
		return err
	}
	w.journal, err = w.sheet("凭证分录", journalHeader())
	return err
}

func (w *workbook) entry(r *record) error {
	for i := range r.lines {
		if err := w.journal.add(journalRow(r, &r.lines[i])); err != nil {
			return err
		}
	}
	return nil
}

func (w *workbook) end(closing *books, periods []*commission.Period) error {
	if err := w.journal.stream.Flush(); err != nil {
		return err
	}
	err := w.fill("科目余额", trialHeader(), func(add func([]cell) error) error {
		for _, row := range trialRows(closing) {
			if err := add(row); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = w.fill("会员余额", purseHeader(), func(add func([]cell) error) error {
		for _, member := range closing.people() {
			if err := add(purseRow(closing, member)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = w.fill("期间", periodHeader(), func(add func([]cell) error) error {
		for _, p := range periods {
			if err := add(periodRow(p)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := w.file.DeleteSheet("Sheet1"); err != nil {
		return err
	}
	return w.file.Write(w.out)
}

// fill writes a whole sheet.
func (w *workbook) fill(name string, header []string, rows func(add func([]cell) error) error) error {
	s, err := w.sheet(name, header)
	if err != nil {
		return err
	}
	if err := rows(s.add); err != nil {
		return err
	}
	return s.stream.Flush()
}

// sheet is one table; what does not fit goes on in another sheet: 凭证分录, 凭证分录2, …
type sheet struct {
	book   *workbook
	name   string
	header []string
	part   int
	row    int // the last one written
	stream *excelize.StreamWriter
	cells  []any
}

func (w *workbook) sheet(name string, header []string) (*sheet, error) {
	s := &sheet{book: w, name: name, header: header}
	return s, s.open()
}

func (s *sheet) open() (err error) {
	name := s.name
	if s.part++; s.part > 1 {
		name += strconv.Itoa(s.part)
	}
	if _, err = s.book.file.NewSheet(name); err != nil {
		return err
	}
	if s.stream, err = s.book.file.NewStreamWriter(name); err != nil {
		return err
	}
	if err := s.stream.SetColWidth(1, len(s.header), 18); err != nil {
		return err
	}
	panes := excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}
	if err := s.stream.SetPanes(&panes); err != nil {
		return err
	}
	s.cells = s.cells[:0]
	for _, h := range s.header {
		s.cells = append(s.cells, excelize.Cell{StyleID: s.book.bold, Value: h})
	}
	s.row = 1
	return s.stream.SetRow("A1", s.cells)
}

func (s *sheet) add(row []cell) error {
	if s.row == s.book.rows {
		if err := s.stream.Flush(); err != nil {
			return err
		}
		if err := s.open(); err != nil {
			return err
		}
	}
	s.cells = s.cells[:0]
	for _, c := range row {
		s.cells = append(s.cells, s.book.value(c))
	}
	s.row++
	return s.stream.SetRow("A"+strconv.Itoa(s.row), s.cells)
}

// value gives money as a number that prints exactly as it is, in yuan.
func (w *workbook) value(c cell) any {
	switch c := c.(type) {
	case money.Fen:
		if f, err := strconv.ParseFloat(c.Yuan(), 64); err == nil && strconv.FormatFloat(f, 'f', 2, 64) == c.Yuan() {
			return excelize.Cell{StyleID: w.yuan, Value: f}
		}
		return c.Yuan() // beyond what a spreadsheet can count: more than ten trillion yuan
	case time.Time:
		return excelize.Cell{StyleID: w.moment, Value: c}
	}
	return c
}
