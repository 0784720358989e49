package demo

import "guanxi/outreach"

// noticeTemplates are templates as a merchant would be given them; the sandbox takes any id. A tap opens the purse.
func noticeTemplates() outreach.Config {
	const page = "pages/purse/index?number={number}"
	return outreach.Config{Templates: map[outreach.Topic]outreach.Template{
		outreach.WithdrawalWaiting: {ID: "sandbox-withdrawal-waiting", Page: page, Fields: map[string]string{
			"thing1": "title", "amount2": "net", "time3": "until", "thing4": "hint",
		}},
		outreach.WithdrawalPaid: {ID: "sandbox-withdrawal-paid", Page: page, Fields: map[string]string{
			"thing1": "title", "amount2": "net", "time3": "at", "thing4": "hint",
		}},
		outreach.WithdrawalReturned: {ID: "sandbox-withdrawal-returned", Page: page, Fields: map[string]string{
			"thing1": "title", "amount2": "amount", "time3": "at", "thing4": "why",
		}},
		outreach.SharingDone: {ID: "sandbox-sharing-done", Page: page, Fields: map[string]string{
			"thing1": "title", "amount2": "amount", "time3": "at", "character_string4": "order",
		}},
		outreach.SharingLeft: {ID: "sandbox-sharing-left", Page: page, Fields: map[string]string{
			"thing1": "title", "amount2": "amount", "time3": "at", "thing4": "why",
		}},
	}}
}
