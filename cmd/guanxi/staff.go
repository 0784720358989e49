package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"guanxi/console"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/staff"
)

func staffCommand() *cobra.Command {
	c := &cobra.Command{Use: "staff", Short: "accounts of the console"}
	c.AddCommand(staffAddCommand())
	return c
}

// staffAddition is what `guanxi staff add` was asked for.
type staffAddition struct {
	where       place
	login, name string
	roles       []string
}

func staffAddCommand() *cobra.Command {
	var a staffAddition
	c := &cobra.Command{
		Use:   "add",
		Short: "make an account with a temporary password; the first one has to be made here",
		Long: "add makes an account of the console and prints a temporary password, which must be changed with the first login. " +
			"With an embedded store stop the service first: one process at a time may open it. Roles: " + strings.Join(roleNames(), ", "),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			store, err := a.where.open(c.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			return a.run(c, store)
		},
	}
	a.where.flags(c)
	c.Flags().StringVar(&a.login, "login", "", "login name")
	c.Flags().StringVar(&a.name, "name", "", "name shown to others")
	c.Flags().StringSliceVar(&a.roles, "role", nil, "role; may be given several times")
	for _, required := range []string{"login", "name", "role"} {
		_ = c.MarkFlagRequired(required)
	}
	return c
}

func roleNames() []string {
	var names []string
	for _, role := range staff.Roles() {
		names = append(names, string(role))
	}
	return names
}

func (a *staffAddition) run(c *cobra.Command, store *docstore.Store) error {
	passwords, err := console.NewArgon(console.Cost{})
	if err != nil {
		return err
	}
	people, err := staff.New(c.Context(), staff.Deps{Store: store, Clock: clock.System{}, IDs: id.Random{}, Passwords: passwords})
	if err != nil {
		return err
	}
	in := staff.AddInput{By: staff.System, Key: "guanxi staff add " + a.login, Login: a.login, Name: a.name}
	for _, role := range a.roles {
		in.Roles = append(in.Roles, staff.Role(role))
	}
	added, err := people.AddOperator(c.Context(), in)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.OutOrStdout(), "login %s, temporary password %s (to be changed with the first login)\n", added.Operator.Login, added.Password)
	return nil
}
