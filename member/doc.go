// Package member knows who a person is: login, sessions, phone, consent and the little that is shown of them.
//
// It promises:
//
//   - One person on one mini-program is one member. The id is derived from (appid, openid), so a hundred first
//     logins at once make one member.
//   - A session token is 256 random bits, handed out once; the store keeps only its hash. A session ends at its
//     fixed expiry (30 days by default; the mini-program logs in again without asking anybody), by Logout, or with
//     all others by LogoutEverywhere. In the process that revoked it the end is immediate; in other processes
//     it is at most Config.CacheFor (3 s by default) later, because no answer older than that is believed.
//   - A phone number is verified by the platform, encrypted at rest, findable by a keyed hash, shown only as
//     138****0013, and belongs to one member: a number that another member holds is refused (MEM_PHONE_TAKEN) and
//     not moved silently, because a moved number could move an account. The holder can take it off themselves
//     (UnbindPhone).
//   - Consent is a record with its whole history: what, which version, given or withdrawn, when. A withdrawal is
//     never refused.
//
// It never keeps the platform's session key, never puts a phone, openid, unionid, token or code into an error, an
// event or a log line, and never decides what a member may do elsewhere: that is asked of the domain concerned.
// The unionid is remembered and can be looked up, but is not unique: the same person in two mini-programs of one
// brand is two members with one unionid.
//
//	people, err := member.New(ctx, member.Deps{Store: store, Clock: clock.System{}, Platform: weixin})
//	login, err := people.Login(ctx, member.LoginInput{Code: code})
//	who, err := people.Authenticate(ctx, login.Token) // who.Member == login.MemberID
package member
