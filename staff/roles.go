package staff

import "slices"

// Role is what somebody is at work.
type Role string

// Permission is one thing a role may do, named by its verb.
type Permission string

// The roles.
const (
	FinanceMaker   Role = "finance-maker"   // prepares: drafts policies, proposes adjustments, runs the reconciliation
	FinanceChecker Role = "finance-checker" // decides what somebody else prepared, reviews withdrawals, closes months
	Tax            Role = "tax"             // reads and exports what a filing needs, drafts tax tables, proposes what payees are
	Auditor        Role = "auditor"         // reads everything, writes nothing
	Operations     Role = "operations"      // works on tasks and disputes, proposes grades and re-bindings, keeps goods and communities
	Admin          Role = "admin"           // keeps the accounts; touches no money
)

// The permissions. Reading is a permission too.
const (
	PolicyRead        Permission = "policy.read"
	PolicyDraft       Permission = "policy.draft"
	PolicyPublish     Permission = "policy.publish"
	AdjustmentPropose Permission = "adjustment.propose"
	AdjustmentApprove Permission = "adjustment.approve"
	WithdrawalRead    Permission = "withdrawal.read"
	WithdrawalReview  Permission = "withdrawal.review"
	WithdrawalStop    Permission = "withdrawal.stop"
	TaxRead           Permission = "tax.read" // the tax tables
	TaxDraft          Permission = "tax.draft"
	TaxPublish        Permission = "tax.publish"
	PayeeRead         Permission = "payee.read" // masked
	PayeeSet          Permission = "payee.set"  // propose the kind
	PayeeConfirm      Permission = "payee.confirm"
	GradeRead         Permission = "grade.read" // of hosts
	GradeSet          Permission = "grade.set"  // propose
	GradeConfirm      Permission = "grade.confirm"
	HostingRead       Permission = "hosting.read" // who may host
	HostingReview     Permission = "hosting.review"
	OrderRead         Permission = "order.read" // orders and their after-sales
	OrderDecide       Permission = "order.decide"
	GoodsRead         Permission = "goods.read" // products with their cost, stock
	GoodsWrite        Permission = "goods.write"
	StockWrite        Permission = "stock.write"
	CommunityRead     Permission = "community.read" // communities, their points and members
	CommunityManage   Permission = "community.manage"
	BondRead          Permission = "bond.read" // who is credited for whom, and by which rules
	BondPropose       Permission = "bond.propose"
	BondConfirm       Permission = "bond.confirm"
	PeriodClose       Permission = "period.close"
	ReconcileRun      Permission = "reconcile.run"
	TaskRead          Permission = "task.read"
	TaskResolve       Permission = "task.resolve"
	DisputeRead       Permission = "dispute.read"
	DisputeAnswer     Permission = "dispute.answer"
	EntryRead         Permission = "entry.read" // the books: entries, adjustments, periods, seals
	PurseRead         Permission = "purse.read" // one person's account
	OperatorRead      Permission = "operator.read"
	OperatorManage    Permission = "operator.manage"
	AuditRead         Permission = "audit.read"
	ExportRead        Permission = "export.read"
)

// permissions is who may do what.
var permissions = map[Role][]Permission{
	FinanceMaker: {
		PolicyRead, PolicyDraft, AdjustmentPropose, WithdrawalRead, WithdrawalStop, ReconcileRun, TaskRead, TaskResolve, DisputeRead,
		EntryRead, PurseRead, ExportRead, TaxRead, GradeRead, HostingRead, OrderRead, GoodsRead, CommunityRead, BondRead,
	},
	FinanceChecker: {
		PolicyRead, PolicyPublish, AdjustmentApprove, WithdrawalRead, WithdrawalReview, WithdrawalStop, PeriodClose, TaskRead, DisputeRead,
		EntryRead, PurseRead, ExportRead, TaxRead, TaxPublish, PayeeRead, PayeeConfirm, GradeRead,
		GradeConfirm, HostingRead, OrderRead, GoodsRead, CommunityRead, BondRead, BondConfirm,
	},
	Tax: {EntryRead, PurseRead, WithdrawalRead, ExportRead, TaxRead, TaxDraft, PayeeRead, PayeeSet},
	Auditor: {
		PolicyRead, WithdrawalRead, TaskRead, DisputeRead, EntryRead, PurseRead, OperatorRead, AuditRead, ExportRead, TaxRead,
		PayeeRead, GradeRead, HostingRead, OrderRead, GoodsRead, CommunityRead, BondRead,
	},
	Operations: {
		PolicyRead, WithdrawalRead, ReconcileRun, TaskRead, TaskResolve, DisputeRead, DisputeAnswer, EntryRead, PurseRead,
		GradeRead, GradeSet, HostingRead, HostingReview, OrderRead, OrderDecide, GoodsRead, GoodsWrite, StockWrite,
		CommunityRead, CommunityManage, BondRead, BondPropose,
	},
	Admin: {OperatorRead, OperatorManage, AuditRead},
}

// Roles lists every role, in the order of the table above.
func Roles() []Role {
	return []Role{FinanceMaker, FinanceChecker, Tax, Auditor, Operations, Admin}
}

// Known tells whether there is such a role.
func (r Role) Known() bool { return permissions[r] != nil }

// Permissions lists what a role may do.
func (r Role) Permissions() []Permission { return slices.Clone(permissions[r]) }

// Allowed tells whether one of the roles may do it.
func Allowed(roles []Role, p Permission) bool {
	return slices.ContainsFunc(roles, func(r Role) bool { return slices.Contains(permissions[r], p) })
}

// PermissionsOf lists what somebody with these roles may do, each once, sorted.
func PermissionsOf(roles []Role) []Permission {
	all := []Permission{}
	for _, r := range roles {
		all = append(all, permissions[r]...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
