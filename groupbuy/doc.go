// Package groupbuy runs campaigns: a host offers a community some goods for a while, members join, and everybody
// who has paid gets a numbered seat.
//
// It promises:
//   - A campaign makes only the moves of one table (moves in campaign.go), and makes those that the clock asks for
//     even when nobody ticks: who may buy is judged by the schedule, not by the last tick.
//   - Seat numbers begin at 1, have no gaps, and are never used twice; one order has one seat, however often and
//     in however many processes it is taken.
//   - Limits per person, per item and in total are never exceeded by claims that are live or paid. Only an order
//     that is paid after its claim was forgotten is honoured beyond them.
//   - A campaign is settled or failed only when no order admitted in time can still be paid; it forms at most
//     once and stays formed; a seat paid in a dead campaign is stranded and refunded.
//   - What it shows is counted: a tally is a fold over seats, and holds nothing that is not one.
//
// It never moves money or stock, and knows nobody's name.
//
// A sale meets it three times:
//
//	offer, err := groups.Admit(ctx, groupbuy.Admission{Order: o, Campaign: c, Member: m, Lines: lines, Until: t})
//	seat, err := groups.TakeSeat(ctx, groupbuy.SeatInput{Order: o, Campaign: c, Member: m, Lines: lines, …})
//	err = groups.Leave(ctx, c, o) // after a whole refund
//
// Admit writes one document of the member's own (the quota), and one per item that has a total. TakeSeat writes
// the seat, then the member's quota and the tally side by side. Tick, called every second or so, does the rest.
//
// Who confirms orders on seat.Taken must first note the seat and then ask Formed: the campaign may form between
// the storing of the seat and the reading of its event.
package groupbuy
