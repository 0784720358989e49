story every movement of the balance meets
config expected=提现_提现
statement funds
ours payment P1 12.30 done 2026-03-01 09:00:00
ours refund R1 2.30 done 2026-03-01 09:00:00
ours transfer W1 5.00 done 2026-03-01 09:00:00
bill 2026-03-01 09:00:00 交易:in P1 12.30
bill 2026-03-01 09:00:00 退款:out R1 2.30
bill 2026-03-01 09:00:00 商家转账:out W1 5.00
bill 2026-03-01 09:00:00 扣除交易手续费:out P1 0.07
bill 2026-03-01 23:00:00 提现:out B1 4.93
clock 2026-03-02 10:00:00
tend
want 2026-03-01 balanced

story money that moved without us
statement funds
ours transfer W2 5.00 open
ours transfer W3 5.00 failed
ours transfer W4 5.00 done 2026-03-01 09:00:00
bill 2026-03-01 09:00:00 充值:in C1 100.00
bill 2026-03-01 09:00:00 商家转账:out W1 5.00
bill 2026-03-01 09:00:00 商家转账:out W2 5.00
bill 2026-03-01 09:00:00 商家转账:out W3 5.00
bill 2026-03-01 09:00:00 交易:out P9 1.00              # a payment that goes out is none
clock 2026-03-02 10:00:00
tend
want 2026-03-01 differing missing-ours/transfer/W1/open state/transfer/W2/open state/transfer/W3/open missing-bill/transfer/W4/open unexplained/other/交易_交易/open
