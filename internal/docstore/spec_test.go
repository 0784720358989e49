package docstore

import (
	"errors"
	"testing"
)

func TestAUniqueIndexBeginsWithTheShardKey(t *testing.T) {
	t.Parallel()
	unique := func(fields ...string) []Index { return []Index{{Name: "one", Fields: fields, Unique: true}} }
	for name, one := range map[string]struct {
		spec Spec
		want error
	}{
		"sharded by the id, unique over another":    {Spec{Name: "members", ShardKey: "_id", Indexes: unique("phone")}, ErrInvalid},
		"sharded by a field, unique over another":   {Spec{Name: "members", ShardKey: "community", Indexes: unique("phone", "community")}, ErrInvalid},
		"sharded by a field, unique from it on":     {Spec{Name: "members", ShardKey: "community", Indexes: unique("community", "phone")}, nil},
		"whole on one shard":                        {Spec{Name: "members", Indexes: unique("phone")}, nil},
		"sharded by the id, an index that is plain": {Spec{Name: "members", ShardKey: "_id", Indexes: []Index{{Name: "one", Fields: []string{"phone"}}}}, nil},
	} {
		if err := checkSpec(&one.spec); !errors.Is(err, one.want) {
			t.Errorf("%s: %v, want %v", name, err, one.want)
		}
	}
}
