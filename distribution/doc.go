// Package distribution remembers who showed what to whom, and says who is credited for a sale and why.
//
// A share is what a member forwards. A touch is one opening of it: one document for a share, a visitor and a
// business day, so that opening it again the same day changes nothing and costs one read. A bond says who is credited
// for a member now, with since, until and why. A policy is the dated rule that turns touches into bonds.
//
// It promises:
//
//   - The same facts give the same bond, whatever order they arrive in. The bond document keeps its latest MaxFacts
//     facts (touches and staff decisions) and is decided by replaying them in the order in which they happened, each
//     under the policy of its day. So a late older touch never overturns what a newer one rightly decided, and a
//     crash between the touch and the bond heals by the touch's event (Consider) to the bond it should have been.
//     Facts older than the window are settled for good; what arrives later than that changes nothing.
//   - There is one current bond, or none. Nobody is bonded to themselves. No circle: before a bond changes
//     hands the chain above the new holder is walked (at most MaxChain steps; a longer one is refused) and after the
//     write it is walked again. Two people who open each other's share at the same moment both write and both look
//     again: whoever looks after the later write sees the circle, and all who see it take back the same link, the
//     youngest. A crash before the second look is finished by the touch's event. And whatever the bonds say,
//     Attribute never names one person twice, the buyer included unless they are the host and the policy says so.
//   - Every decision is kept with its reason: Why tells in words what led to the present bond.
//   - A staff decision (Rebind) is a fact with a name, a reason and its own audit document.
//   - A policy is never changed, and never starts in the past: it is published at least Config.PolicyLead ahead, so
//     that every process knows it before it begins and no decision is rewritten.
//
// It never computes money, and never pays for bringing people: a bond is worth something only when a sale is
// credited, at most to two levels, the second off unless the policy turns it on.
//
// How a bond is decided:
//
//	mode         first touch of another      touch by the holder       touch by somebody else
//	first-touch  bonds                       changes nothing           waits until validity ends
//	last-touch   bonds                       renews the validity       takes over once protection has ended
//	permanent    bonds for good              changes nothing           changes nothing
//
// Validity and protection are whole days of 24 hours counted from the touch; renewing does not renew the protection,
// or nobody could ever take over. Days end is exclusive: at Until the bond is over.
//
//	shares, err := distribution.New(ctx, distribution.Deps{Store: store, Clock: clock.System{}})
//	link, err := shares.Share(ctx, distribution.ShareInput{Sharer: host, Kind: distribution.KindCampaign, Target: campaign})
//	_, err = shares.Open(ctx, distribution.OpenInput{Share: link.ID, Visitor: neighbour, Scene: 1007})
//	credit, err := shares.Attribute(ctx, neighbour, host, community, now) // credit.Direct == host
package distribution
