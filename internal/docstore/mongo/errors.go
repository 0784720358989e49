package mongo

import (
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/mongo"

	"guanxi/internal/docstore"
)

// Error codes of the server that mean something to us.
const (
	codeInternal       = 1
	codeNoIndex        = 27
	codeNotImplemented = 238
	codeDuplicate      = 11000
	codeOutOfDisk      = 14031
)

// Codes that refuse a command before anything was done.
var (
	notPrimary = []int{10107, 13435, 10058}
	forbidden  = []int{13, 18, 8000}                       // not allowed here
	malformed  = []int{2, 9, 14, 51, 72, 73, 10334, 40415} // bad value, parse, type, option, namespace, too large
)

func hasCode(err error, codes ...int) bool {
	var server mongo.ServerError
	if !errors.As(err, &server) {
		return false
	}
	for _, code := range codes {
		if server.HasErrorCode(code) {
			return true
		}
	}
	return false
}

// readError maps what a read came back with: a read that failed has changed nothing.
func readError(operation string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, docstore.ErrInvalid), errors.Is(err, docstore.ErrUnavailable):
		return err
	case hasCode(err, malformed...):
		return fmt.Errorf("mongo: %s: %w: %w", operation, docstore.ErrInvalid, err)
	}
	return fmt.Errorf("mongo: %s: %w: %w", operation, docstore.ErrUnavailable, err)
}

// commandError maps a failure of a whole write command.
func commandError(seen witness, err error) error {
	var labeled mongo.LabeledError
	switch {
	case seen.attempts == 0:
		return fmt.Errorf("%w: %w", docstore.ErrUnavailable, err)
	case hasCode(err, malformed...):
		return fmt.Errorf("%w: %w", docstore.ErrInvalid, err)
	case seen.attempts == 1 && (hasCode(err, notPrimary...) || hasCode(err, forbidden...)):
		return fmt.Errorf("%w: %w", docstore.ErrUnavailable, err)
	case seen.attempts == 1 && errors.As(err, &labeled) && labeled.HasErrorLabel("NoWritesPerformed"):
		return fmt.Errorf("%w: %w", docstore.ErrUnavailable, err)
	}
	// Sent and not answered, or interrupted by a change of primary, or an earlier attempt may have got through.
	return fmt.Errorf("%w: %w", docstore.ErrUnclear, err)
}

// outcome is a write command's answer taken apart.
type outcome struct {
	whole  error                    // concerns every operation of the command
	byItem map[int]mongo.WriteError // refusals by position; everything else was carried out
}

// judge takes a command's answer apart.
func judge(seen witness, err error) outcome {
	if err == nil {
		return outcome{}
	}
	var concern *mongo.WriteConcernError
	var items map[int]mongo.WriteError
	var bulk mongo.BulkWriteException
	var single mongo.WriteException
	switch {
	case errors.As(err, &bulk):
		concern, items = bulk.WriteConcernError, make(map[int]mongo.WriteError, len(bulk.WriteErrors))
		for _, e := range bulk.WriteErrors {
			items[e.Index] = e.WriteError
		}
	case errors.As(err, &single):
		concern, items = single.WriteConcernError, make(map[int]mongo.WriteError, len(single.WriteErrors))
		for _, e := range single.WriteErrors {
			items[e.Index] = e
		}
	default:
		return outcome{whole: commandError(seen, err)}
	}
	if concern != nil {
		// Done on the primary, but not known to be on a majority: it can still be rolled back, and so can what a
		// refusal was based on.
		return outcome{whole: fmt.Errorf("%w: %w", docstore.ErrUnclear, concern)}
	}
	return outcome{byItem: items}
}

// itemError maps a refusal other than a duplicate.
func itemError(e mongo.WriteError) error {
	switch {
	case e.Code == codeOutOfDisk, hasCode(e, notPrimary...), hasCode(e, forbidden...):
		return fmt.Errorf("%w: %w", docstore.ErrUnavailable, e)
	case e.Code == codeInternal:
		return fmt.Errorf("%w: %w", docstore.ErrUnclear, e)
	}
	return fmt.Errorf("%w: %w", docstore.ErrInvalid, e)
}
