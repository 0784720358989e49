// Package community is where a host and their people are together: who belongs, where goods are collected, and
// which products the host picked for them.
//
// It promises:
//
//   - A community is made once for a host and key, by a member whom the brand lets host (room hosting), and only its host
//     changes it (COMM_NOT_HOST).
//   - Belonging is one document for a community and a member, whatever happens how often and at once: joining twice
//     is joining once, leaving and coming back keep the history.
//   - Numbers are counted from the memberships when they are asked for (up to CountLimit): there is no counter
//     that could lie.
//   - A pickup point lives inside its community; at most MaxPoints of them, closed ones included, because old
//     orders still name them. Name and address are public business facts; the keeper's phone is encrypted and
//     masked when printed.
//
// It never decides about money or goods, never asks who may see a member's data elsewhere, and never sends
// anything to anybody: it tells community.Joined and others act.
//
//	home, err := community.New(ctx, community.Deps{Store: store, Clock: clock.System{}, Hosting: approvals})
//	group, err := home.Create(ctx, community.CreateInput{Host: host, Key: "k1", Name: "阳光花园邻里团"})
//	_, err = home.Join(ctx, community.JoinInput{Community: group.ID, Member: neighbour, Via: share})
package community
