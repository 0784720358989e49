package mongo

import (
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/mongo"

	"guanxi/internal/docstore"
)

// Error codes of the server that mean something to us.
const (
	codeInternal        = 1
	codeBadValue        = 2
	codeNoIndex         = 27
	codeCannotCreate    = 67
	codeOptionsConflict = 85
	codeKeysConflict    = 86
	codeNotImplemented  = 238
	codeDuplicate       = 11000
	codeOutOfDisk       = 14031
)

// Codes of which it is known that the server refuses before anything is done. A code that stands in none of these
// lists says nothing about the write: servers and routers report troubles of their own in the place of a refusal, also
// for what they have carried out.
var (
	notPrimary = []int{10107, 13435, 10058}
	forbidden  = []int{13, 18} // unauthorized, authentication failed
	full       = []int{codeOutOfDisk}
	// malformed is what no server of any version would store: bad value, parse, type, bson, option, dollar-prefixed,
	// dotted or empty field, immutable field, namespace, validation, unindexable key, too large.
	malformed = []int{2, 9, 14, 22, 51, 52, 56, 57, 66, 72, 73, 121, 171, 10334, 17280, 17419, 40415}
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
	case seen.attempts == 1 && hasCode(err, malformed...):
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

// itemError maps a refusal other than a duplicate. Only the answer to a first attempt can be a refusal: before a
// later one, what this one refuses may have been carried out.
func itemError(seen witness, e mongo.WriteError) error {
	switch {
	case seen.attempts != 1:
	case hasCode(e, malformed...):
		return fmt.Errorf("%w: %w", docstore.ErrInvalid, e)
	case hasCode(e, notPrimary...), hasCode(e, forbidden...), hasCode(e, full...):
		return fmt.Errorf("%w: %w", docstore.ErrUnavailable, e)
	}
	return fmt.Errorf("%w: %w", docstore.ErrUnclear, e)
}
