// Package staff knows who of the brand's people may do what in the console, and keeps what they did.
//
// It promises:
//
//   - An operator is a local account: a login name (never given to anybody else again), a display name, roles, a
//     password of which only a slow hash is kept. An account is disabled, never deleted, so that every name in a book
//     stays explained. What a role may do is one table (roles.go); somebody may hold several roles.
//   - Guessing is slow, and locks nobody out. An attempt is counted before the password is looked at, per account and
//     address. At an address the operator has signed in from, sixty wrong passwords cost a second, and never more than
//     five; elsewhere the sixth waits, twice as long with every further failure, at most Config.WaitMost, and all strange
//     addresses share a pace. Strangers' passwords wait for each other and never delay somebody who is known. A login says
//     only "wrong" or "wait", for names that nobody has as well.
//   - What gives power or an entry (an account, roles, a code, opening a disabled account, saying which member somebody
//     is) takes two operators, one of whom proposes and the other confirms, and neither is the one it is about (Hands);
//     System, on the machine itself, stands for both. What takes power away takes one.
//   - A new or reset account gets an enrolment code, shown once, good for Config.TemporaryFor and for nothing but choosing
//     a password; using it leaves deeds. Whoever could have seen it and its owner check nothing of each other's for
//     Config.Cooling (MayCheck), and nobody checks what a second account of the same member made.
//   - A session token is 256 random bits, handed out once; the store keeps only its hash. It ends at its fixed expiry, by
//     Logout, by Revoke, and with all others when the password is changed or reset or the account disabled. Roles are
//     read with every request: what was taken away is gone at once, in every process.
//   - Nobody changes their own roles or disables themselves. The first two administrators are made from outside, by System.
//   - Every write of staff is a deed in the audit log: who, when, what, to which thing, from which request, what it was
//     before and after. Its beginning is stored before anything happens, its outcome before the answer is given; a deed
//     without an outcome was cut off. It has its source: address, program, session. Failed logins, refusals, logouts and
//     exports are deeds, too. Deeds are never changed or removed otherwise.
//   - A draft is prepared by one operator and carried out by another, for things whose domain knows no proposals (policies).
//
// It never puts a password, its hash or a token into an error, a deed or a log line, and never decides about the things
// themselves: that maker and checker of one thing differ is the business of the thing's domain, which is given the
// operator's id.
//
//	people, err := staff.New(ctx, staff.Deps{Store: store, Clock: clock.System{}, IDs: id.Random{}, Passwords: argon})
//	first, err := people.AddOperator(ctx, staff.AddInput{By: staff.System, Key: "setup", Login: "chen", Name: "陈静",
//		Roles: []staff.Role{staff.Admin}})
//	in, err := people.Login(ctx, staff.LoginInput{Login: "chen", Password: first.Password})
//	err = people.ChangePassword(ctx, staff.PasswordChange{Session: who.Session, Operator: who.Operator, Old: …, New: …})
package staff
