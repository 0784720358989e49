package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"guanxi/console"
	"guanxi/internal/clock"
	"guanxi/internal/docstore"
	"guanxi/internal/id"
	"guanxi/staff"
)

func staffCommand() *cobra.Command {
	c := &cobra.Command{Use: "staff", Short: "accounts of the console"}
	c.AddCommand(staffAddCommand(), staffAccountCommand(resetAccount), staffAccountCommand(unlockAccount))
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
		Short: "make an account and print its enrolment code; the first two administrators have to be made here",
		Long: "add makes an account of the console and prints an enrolment code, good for a day and for choosing a password. In the " +
			"console one administrator proposes an account and another one confirms it, so make two administrators here, for two people. " +
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

// openStaff opens the accounts of a store.
func openStaff(ctx context.Context, store *docstore.Store) (*staff.Service, error) {
	passwords, err := console.NewArgon(console.Cost{})
	if err != nil {
		return nil, err
	}
	return staff.New(ctx, staff.Deps{Store: store, Clock: clock.System{}, IDs: id.Random{}, Passwords: passwords})
}

func (a *staffAddition) run(c *cobra.Command, store *docstore.Store) error {
	people, err := openStaff(c.Context(), store)
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
	return printCode(c, added)
}

func printCode(c *cobra.Command, a staff.Added) error {
	_, err := fmt.Fprintf(c.OutOrStdout(), "login %s, enrolment code %s: good until %s, for nothing but choosing a password\n",
		a.Operator.Login, a.Password, a.Operator.PasswordUntil.Format(time.RFC3339))
	return err
}

// accountDeed is something done to one account on the machine itself.
type accountDeed struct {
	use, short string
	do         func(c *cobra.Command, people *staff.Service, operator string) error
}

var resetAccount = accountDeed{
	"reset", "print a new enrolment code for an account: its password and sessions end",
	func(c *cobra.Command, people *staff.Service, operator string) error {
		added, err := people.ResetPassword(c.Context(), staff.System, operator)
		if err != nil {
			return err
		}
		return printCode(c, added)
	},
}

var unlockAccount = accountDeed{
	"unlock", "forget the wrong passwords typed for an account, so that nobody has to wait",
	func(c *cobra.Command, people *staff.Service, operator string) error {
		return people.Unlock(c.Context(), staff.System, operator)
	},
}

func staffAccountCommand(d accountDeed) *cobra.Command {
	var where place
	var login string
	c := &cobra.Command{
		Use: d.use, Short: d.short, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			store, err := where.open(c.Context())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, store.Close()) }()
			people, err := openStaff(c.Context(), store)
			if err != nil {
				return err
			}
			return d.do(c, people, staff.IDOf(login))
		},
	}
	where.flags(c)
	c.Flags().StringVar(&login, "login", "", "login name")
	_ = c.MarkFlagRequired("login")
	return c
}
