story a refund that the bill calls under way and that was done the same day
ours payment P1 12.30 done 2026-03-01 09:00:00
ours refund P1r1 2.30 done 2026-03-01 15:00:00
bill 2026-03-01 09:00:00 pay P1 12.30
bill 2026-03-01 14:59:58 refund:PROCESSING P1r1 2.30
clock 2026-03-02 10:00:00
tend
want 2026-03-01 balanced
seen 2026-03-01 processing=1

story it was done the day after: rows are written once and never again
ours refund P1r1 2.30 open
bill 2026-03-01 23:59:58 refund:PROCESSING P1r1 2.30
clock 2026-03-02 10:00:00
tend
want 2026-03-01 balanced
ours refund P1r1 2.30 done 2026-03-02 11:00:00
clock 2026-03-03 10:00:00
tend
want 2026-03-02 balanced
again 2026-03-01
tend
want 2026-03-01 balanced

story it became abnormal afterwards: only then the day is looked at again
ours refund P1r1 2.30 open
ours refund P2r1 2.30 open
bill 2026-03-01 15:00:00 refund:PROCESSING P1r1 2.30
bill 2026-03-01 15:00:00 refund:PROCESSING P2r1 2.30
clock 2026-03-02 10:00:00
tend
want 2026-03-01 balanced
ours refund P1r1 2.30 stuck
reconsider NOBODY
reconsider P1r1
tend
want 2026-03-01 differing state/refund/P1r1/open
ours refund P1r1 2.30 done 2026-03-04 09:00:00
clock 2026-03-05 10:00:00
tend
want 2026-03-01 balanced state/refund/P1r1/healed

story the same for a refund that was done, said so wrongly, and had its row in the bill of its own day
ours refund P1r1 2.30 done 2026-03-01 15:00:00
bill 2026-03-01 15:00:00 refund:PROCESSING P1r1 2.30
clock 2026-03-02 10:00:00
tend
want 2026-03-01 balanced
ours refund P1r1 2.30 stuck
reconsider P1r1
tend
want 2026-03-01 differing state/refund/P1r1/open

story a refund under way that our books have given up is a difference, and so is one they never heard of
ours refund P1r1 2.30 failed
bill 2026-03-01 15:00:00 refund:PROCESSING P1r1 2.30
bill 2026-03-01 15:00:00 refund:PROCESSING P2r1 2.30
bill 2026-03-01 15:00:00 refund:CHANGE P3r1 2.30
ours refund P3r1 2.30 stuck
clock 2026-03-02 10:00:00
tend
want 2026-03-01 differing state/refund/P1r1/open missing-ours/refund/P2r1/open

story a coupon that is not prefunded
ours payment P1 100.00 done 2026-03-01 09:00:00
ours refund P1r1 100.00 done 2026-03-01 15:00:00
ours payment P2 100.00 done 2026-03-01 09:00:00
bill 2026-03-01 09:00:00 pay P1 100.00 settled=90.00 coupon=10.00
bill 2026-03-01 15:00:00 refund:SUCCESS P1r1 100.00 settled=90.00
bill 2026-03-01 09:00:00 pay P2 100.00 coupon=10.00              # prefunded: it settles in full
statement funds
bill 2026-03-01 09:00:00 交易:in P1 90.00
bill 2026-03-01 15:00:00 退款:out P1r1 90.00
bill 2026-03-01 09:00:00 交易:in P2 100.00
clock 2026-03-02 10:00:00
tend
want 2026-03-01 balanced
statement trade
want 2026-03-01 balanced
seen 2026-03-01 coupons=2 coupon-in=1000 coupon-out=1000

story a coupon explains its own amount and no other
ours payment P1 100.00 done 2026-03-01 09:00:00
ours payment P2 100.00 done 2026-03-01 09:00:00
bill 2026-03-01 09:00:00 pay P1 100.00 settled=90.00 coupon=10.00
bill 2026-03-01 09:00:00 pay P2 100.00
statement funds
bill 2026-03-01 09:00:00 交易:in P1 89.00
bill 2026-03-01 09:00:00 交易:in P2 90.00
clock 2026-03-02 10:00:00
tend
want 2026-03-01 differing amount/payment/P1/open amount/payment/P2/open

story another program of the merchant
config apps=wx-ours
ours payment P1 12.30 done 2026-03-01 09:00:00
ours payment P2 1.00 done 2026-03-01 09:00:00
bill 2026-03-01 09:00:00 pay P1 12.30 app=wx-ours
bill 2026-03-01 09:00:00 pay SHOP-77 5.00 app=wx-theirs
bill 2026-03-01 09:00:00 pay SHOP-77 5.00 app=wx-theirs          # even twice: it is not ours to judge
bill 2026-03-01 10:00:00 refund:SUCCESS SHOP-77-R 2.00 app=wx-theirs
bill 2026-03-01 09:00:00 pay P2 2.00 app=wx-theirs               # we know the number: it is judged
bill 2026-03-01 09:00:00 pay LOST 3.00 app=wx-ours
bill 2026-03-01 09:00:00 pay LOST2 3.00                          # no app id: ours
statement funds
bill 2026-03-01 09:00:00 交易:in P1 12.30
bill 2026-03-01 09:00:00 交易:in SHOP-77 5.00
bill 2026-03-01 10:00:00 退款:out SHOP-77-R 2.00
bill 2026-03-01 09:00:00 交易:in P2 1.00
bill 2026-03-01 09:00:00 交易:in SHOP-88 1.00                      # no trade bill knows it
clock 2026-03-02 10:00:00
tend
want 2026-03-01 differing missing-ours/payment/SHOP-88/open
seen 2026-03-01 foreign=2 foreign-in=500 foreign-out=200
statement trade
want 2026-03-01 differing amount/payment/P2/open missing-ours/payment/LOST/open missing-ours/payment/LOST2/open
seen 2026-03-01 foreign=3 foreign-out=200

story without a list of our programs every row is ours
bill 2026-03-01 09:00:00 pay SHOP-77 5.00 app=wx-theirs
clock 2026-03-02 10:00:00
tend
want 2026-03-01 differing missing-ours/payment/SHOP-77/open

story the trade bill comes after the fund bill, and explains it then
config apps=wx-ours
ours payment P1 100.00 done 2026-03-01 09:00:00
answer 2026-03-01 refused
bill 2026-03-01 09:00:00 pay SHOP-77 5.00 app=wx-theirs
bill 2026-03-01 09:00:00 pay P1 100.00 settled=90.00
statement funds
bill 2026-03-01 09:00:00 交易:in SHOP-77 5.00
bill 2026-03-01 09:00:00 交易:in P1 90.00
clock 2026-03-02 10:00:00
tend!
want 2026-03-01 waiting
statement trade
want 2026-03-01 waiting refused/2026-03-01/open
statement funds
clock 2026-03-02 13:00:00
tend!
want 2026-03-01 differing missing-ours/payment/SHOP-77/open amount/payment/P1/open
statement trade
answer 2026-03-01 normal
clock 2026-03-02 15:00:00
tend
want 2026-03-01 balanced refused/2026-03-01/healed
statement funds
want 2026-03-01 balanced missing-ours/payment/SHOP-77/healed amount/payment/P1/healed

story fees are taken with payments and given back with refunds
ours payment P1 100.00 done 2026-03-01 09:00:00
ours refund P1r1 100.00 done 2026-03-01 15:00:00
statement funds
bill 2026-03-01 09:00:00 交易/交易:in P1 100.00
bill 2026-03-01 09:00:00 交易/扣除交易手续费:out P1 0.60
bill 2026-03-01 15:00:00 退款/退款:out P1r1 100.00
bill 2026-03-01 15:00:00 退款/退还交易手续费:in P1r1 0.60
clock 2026-03-02 10:00:00
tend
want 2026-03-01 balanced
seen 2026-03-01 fees=60 fees-back=60

story a refund's row may be less the fee given back: by the remark, or by the trade bill
ours payment P1 100.00 done 2026-03-01 09:00:00
ours refund P1r1 50.00 done 2026-03-01 15:00:00
ours refund P1r2 50.00 done 2026-03-01 16:00:00
ours refund P1r3 50.00 done 2026-03-01 16:00:00
bill 2026-03-01 09:00:00 pay P1 100.00 fee=0.60
bill 2026-03-01 15:00:00 refund:SUCCESS P1r1 50.00
bill 2026-03-01 16:00:00 refund:SUCCESS P1r2 50.00 fee=-0.30
bill 2026-03-01 16:00:00 refund:SUCCESS P1r3 50.00 fee=-0.30
statement funds
bill 2026-03-01 09:00:00 交易:in P1 100.00
bill 2026-03-01 15:00:00 退款:out P1r1 49.70 note=退款总金额50.00元;含手续费0.30元
bill 2026-03-01 16:00:00 退款:out P1r2 49.70
bill 2026-03-01 16:00:00 退款:out P1r3 49.71 note=退款总金额50.00元;含手续费0.30元
clock 2026-03-02 10:00:00
tend
want 2026-03-01 differing amount/refund/P1r3/open
seen 2026-03-01 net-refunds=2

story transfers may be paid from the operation account: it has a run of its own
ours transfer W1 5.00 done 2026-03-01 09:00:00
ours transfer W2 6.00 done 2026-03-01 09:00:00
ours transfer W3 7.00 done 2026-03-01 09:00:00
statement operation
bill 2026-03-01 09:00:00 商家转账:out W1 5.00
bill 2026-03-01 09:00:00 商家转账:out W9 5.00
statement funds
bill 2026-03-01 09:00:00 商家转账:out W2 6.00
clock 2026-03-02 10:00:00
tend
want 2026-03-01 differing missing-bill/transfer/W3/open
statement operation
want 2026-03-01 differing missing-ours/transfer/W9/open

story without that account among the settings its transfers are missing
config accounts=funds
ours transfer W1 5.00 done 2026-03-01 09:00:00
statement operation
bill 2026-03-01 09:00:00 商家转账:out W1 5.00
statement funds
clock 2026-03-02 10:00:00
tend
want 2026-03-01 differing missing-bill/transfer/W1/open

story a transfer at the last second, billed the next day in the operation account
ours transfer W1 5.00 done 2026-03-01 23:59:59
statement operation
bill 2026-03-02 00:00:00 商家转账:out W1 5.00
statement funds
clock 2026-03-02 10:00:00
tend
want 2026-03-01 differing missing-bill/transfer/W1/open
clock 2026-03-03 10:00:00
tend
want 2026-03-01 resolved missing-bill/transfer/W1/healed
want 2026-03-02 balanced

story the operation bill comes later: the basic account waits for it
ours transfer W1 5.00 done 2026-03-01 09:00:00
statement operation
answer 2026-03-01 creating
bill 2026-03-01 09:00:00 商家转账:out W1 5.00
statement funds
clock 2026-03-02 10:00:00
tend
want 2026-03-01 waiting
statement operation
answer 2026-03-01 normal
clock 2026-03-02 10:40:00
tend
want 2026-03-01 balanced
statement funds
want 2026-03-01 balanced

story money of the brand's own moves: expected kinds, and one task for each that is not
statement funds
bill 2026-03-01 09:00:00 充值:in C1 100.00
bill 2026-03-01 09:00:00 提现/商户提现:out C2 100.00
bill 2026-03-01 09:00:00 平台服务费:out C3 1.00
bill 2026-03-01 09:00:00 活动/营销返还:in C4 1.00
bill 2026-03-01 09:00:00 活动/营销返还:in C5 2.00
bill 2026-03-01 09:00:00 活动/营销返还:out C6 2.00
bill 2026-03-01 09:00:00 退款:out - 2.00
bill 2026-03-01 09:00:00 退款:out - 3.00
clock 2026-03-02 10:00:00
tend
want 2026-03-01 differing unexplained/other/活动_营销返还/open unexplained/refund/退款_退款_无业务凭证号/open
again 2026-03-01
tend
want 2026-03-01 differing unexplained/other/活动_营销返还/open unexplained/refund/退款_退款_无业务凭证号/open

story a bill that cannot be read says why, and the task closes with the first one that can
answer 2026-03-01 refused
ours payment P1 12.30 done 2026-03-01 09:00:00
bill 2026-03-01 09:00:00 pay P1 12.30
clock 2026-03-02 10:00:00
tend!
tend!
want 2026-03-01 waiting refused/2026-03-01/open
clock 2026-03-02 13:00:00
tend!
want 2026-03-01 waiting refused/2026-03-01/open
answer 2026-03-01 normal
clock 2026-03-02 16:00:00
tend
want 2026-03-01 balanced refused/2026-03-01/healed
