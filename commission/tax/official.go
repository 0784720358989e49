package tax

import "guanxi/internal/money"

// The tables of this file are what the official documents say, as data to publish: none of them is in force by itself.

const yuan = money.Fen(100)

// PerPaymentTable withholds from residents payment by payment (a month's payments of continuous income together), and
// from non-residents by the monthly table.
func PerPaymentTable() Table {
	return Table{Name: "劳务报酬按次预扣", Rules: []Rule{residentPerPayment(), business(), foreign()}}
}

// CumulativeTable withholds from residents over the year, as platform companies do for people who work through the
// platform, and from non-residents by the monthly table.
func CumulativeTable() Table {
	return Table{Name: "劳务报酬累计预扣", Rules: []Rule{residentCumulative(), business(), foreign()}}
}

// OffTable withholds nothing.
func OffTable() Table {
	return Table{Name: "不代扣", Rules: []Rule{
		{Kind: Resident, Mode: Off}, {Kind: Business, Mode: Off}, {Kind: Foreign, Mode: Off},
	}}
}

// residentPerPayment: up to 4,000 yuan less 800 yuan, above less 20 %; 20, 30 and 40 %.
func residentPerPayment() Rule {
	return Rule{
		Kind: Resident, Mode: PerPayment, Once: OncePerMonth,
		Source:    "国家税务总局公告2018年第61号 个人所得税预扣率表二；个人所得税法实施条例第十四条（同一项目连续性收入以一个月内取得的收入为一次）",
		SmallUpTo: 4000 * yuan, SmallDeduction: 800 * yuan, ExpenseRate: 2000,
		Brackets: []Bracket{
			{UpTo: 20_000 * yuan, Rate: 2000},
			{UpTo: 50_000 * yuan, Rate: 3000, Quick: 2000 * yuan},
			{Rate: 4000, Quick: 7000 * yuan},
		},
	}
}

// residentCumulative: income less 20 % expenses and 5,000 yuan a month; seven yearly brackets.
func residentCumulative() Rule {
	return Rule{
		Kind: Resident, Mode: Cumulative, Months: SinceFirst,
		Source:      "国家税务总局公告2018年第61号 个人所得税预扣率表一；国家税务总局公告2025年第16号（平台内从业人员劳务报酬累计预扣法）",
		ExpenseRate: 2000, MonthlyDeduction: 5000 * yuan,
		Brackets: []Bracket{
			{UpTo: 36_000 * yuan, Rate: 300},
			{UpTo: 144_000 * yuan, Rate: 1000, Quick: 2520 * yuan},
			{UpTo: 300_000 * yuan, Rate: 2000, Quick: 16_920 * yuan},
			{UpTo: 420_000 * yuan, Rate: 2500, Quick: 31_920 * yuan},
			{UpTo: 660_000 * yuan, Rate: 3000, Quick: 52_920 * yuan},
			{UpTo: 960_000 * yuan, Rate: 3500, Quick: 85_920 * yuan},
			{Rate: 4500, Quick: 181_920 * yuan},
		},
	}
}

func business() Rule {
	return Rule{Kind: Business, Mode: Off, Source: "经营主体自行申报，凭发票结算，不代扣个人所得税"}
}

// foreign: income less 20 %; seven monthly brackets.
func foreign() Rule {
	return Rule{
		Kind: Foreign, Mode: PerPayment, Once: OncePerMonth, ExpenseRate: 2000,
		Source: "国家税务总局公告2018年第61号 个人所得税税率表三（非居民个人劳务报酬所得）",
		Brackets: []Bracket{
			{UpTo: 3000 * yuan, Rate: 300},
			{UpTo: 12_000 * yuan, Rate: 1000, Quick: 210 * yuan},
			{UpTo: 25_000 * yuan, Rate: 2000, Quick: 1410 * yuan},
			{UpTo: 35_000 * yuan, Rate: 2500, Quick: 2660 * yuan},
			{UpTo: 55_000 * yuan, Rate: 3000, Quick: 4410 * yuan},
			{UpTo: 80_000 * yuan, Rate: 3500, Quick: 7160 * yuan},
			{Rate: 4500, Quick: 15_160 * yuan},
		},
	}
}
