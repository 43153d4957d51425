package file

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCleanGrant(t *testing.T) {
	g := Grant{Access: Restricted, Users: []int64{3, 1, 3}, Groups: []string{"b", "a", "b"},
		Tokens: []string{"y", "x", "y"}}
	if err := g.Clean(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Grant{Access: Restricted, Users: []int64{1, 3}, Groups: []string{"a", "b"},
		Tokens: []string{"x", "y"}}, g); diff != "" {
		t.Error(diff)
	}
	many := Grant{Access: Restricted}
	for i := range int64(MaxGrants) {
		many.Users = append(many.Users, i+1)
	}
	if err := many.Clean(); err != nil {
		t.Error(err)
	}
	many.Tokens = []string{"x"}
	for _, bad := range []Grant{many, {}, {Access: "x"}, {Access: Restricted}, {Access: Public, Users: []int64{1}},
		{Access: Account, Groups: []string{"a"}},
		{Access: Private, Tokens: []string{"x"}}, {Access: Restricted, Users: []int64{1, 0}},
		{Access: Restricted, Groups: []string{"a", ""}}, {Access: Restricted, Groups: []string{"a\x00"}},
		{Access: Restricted, Groups: []string{"\xff"}},
		{Access: Restricted, Groups: []string{strings.Repeat("a", MaxGroupName+1)}}} {
		if err := bad.Clean(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}
