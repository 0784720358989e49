package withdrawal

// Words says where a withdrawal stands, for its member, in one Chinese sentence.
func (w *Withdrawal) Words() string {
	if w.Why != "" && w.State != Returned {
		return w.Why
	}
	switch w.State {
	case Asked:
		return "已提交，正在冻结金额"
	case Held:
		return "等待人工审核"
	case Approved:
		return "审核通过，正在提交微信支付"
	case Sent:
		if w.Platform == TransferProcessing {
			return "微信支付处理中，稍后到账"
		}
		return "已提交微信支付，等待结果"
	case Waiting:
		return w.waitingWords()
	case Paid:
		return "已到账 " + w.Net.Yuan() + " 元"
	case Returned:
		return "已到账的款项被退回，金额已回到可提现"
	}
	return "已结束"
}

func (w *Withdrawal) waitingWords() string {
	switch {
	case w.Platform == TransferTransferring:
		return "已确认，微信支付正在转账"
	case w.Stopped != nil:
		return "商家已停止付款，以微信支付的结果为准"
	case !w.CancelAt.IsZero():
		return "正在取消，以微信支付的结果为准"
	case w.Package == "":
		return "微信支付处理中，请稍后在小程序里确认收款"
	}
	return "请在小程序里确认收款，超过 24 小时未确认将退回"
}
