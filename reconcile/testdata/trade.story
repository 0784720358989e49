story every fen meets
ours payment P1 12.30 done 2026-03-01 09:00:00 T1
ours payment P2 0.01 done 2026-03-01 23:59:59 T2
ours refund P1r1 2.30 done 2026-03-01 15:00:00
ours payment P3 5.00 open
bill 2026-03-01 09:00:00 pay P1 12.30 no=T1
bill 2026-03-01 23:59:59 pay P2 0.01 no=T2
bill 2026-03-01 15:00:00 refund:SUCCESS P1r1 2.30
clock 2026-03-02 10:00:00
tend
want 2026-03-01 balanced

story a quiet day has no bill and needs none
clock 2026-03-02 10:00:00
tend
want 2026-03-01 balanced

story no bill although we sold something
ours payment P1 12.30 done 2026-03-01 09:00:00
clock 2026-03-02 10:00:00
tend
want 2026-03-01 differing missing-bill/payment/P1/open

story every kind of difference, one task each
config fee
ours payment AMOUNT 10.00 done 2026-03-01 09:00:00
ours payment STATE 10.00 open
ours payment FAILED 10.00 failed
ours payment NUMBER 10.00 done 2026-03-01 09:00:00 T-OURS
ours payment FEE 10.00 done 2026-03-01 09:00:00
ours payment FEEOK 10.00 done 2026-03-01 09:00:00
ours payment TWICE 10.00 done 2026-03-01 09:00:00
ours payment ABSENT 10.00 done 2026-03-01 09:00:00
ours refund GIFT 0.00 done 2026-03-01 09:00:00      # nothing was sent to the platform: nothing is expected
ours refund BACK 3.00 done 2026-03-01 09:00:00
bill 2026-03-01 09:00:00 pay AMOUNT 10.01 fee=0.06
bill 2026-03-01 09:00:00 pay STATE 10.00 fee=0.06
bill 2026-03-01 09:00:00 pay FAILED 10.00 fee=0.06
bill 2026-03-01 09:00:00 pay NUMBER 10.00 fee=0.06 no=T-THEIRS
bill 2026-03-01 09:00:00 pay FEE 10.00 fee=0.10
bill 2026-03-01 09:00:00 pay FEEOK 10.00 fee=0.05     # a fen of rounding
bill 2026-03-01 09:00:00 pay TWICE 10.00 fee=0.06 no=T1
bill 2026-03-01 09:00:01 pay TWICE 10.00 fee=0.06 no=T2
bill 2026-03-01 09:00:00 pay NEW 10.00 fee=0.06
bill 2026-03-01 09:00:00 refund:SUCCESS BACK 3.00 fee=-0.02
bill 2026-03-01 09:00:00 refund:FAIL NEVER 3.00       # nothing moved and we know of nothing
clock 2026-03-02 10:00:00
tend
want 2026-03-01 differing amount/payment/AMOUNT/open state/payment/STATE/open state/payment/FAILED/open number/payment/NUMBER/open fee/payment/FEE/open doubled/payment/TWICE/open missing-ours/payment/NEW/open missing-bill/payment/ABSENT/open
tend
again 2026-03-01
tend
want 2026-03-01 differing amount/payment/AMOUNT/open state/payment/STATE/open state/payment/FAILED/open number/payment/NUMBER/open fee/payment/FEE/open doubled/payment/TWICE/open missing-ours/payment/NEW/open missing-bill/payment/ABSENT/open

story a bill whose totals lie
ours payment P1 12.30 done 2026-03-01 09:00:00
bill 2026-03-01 09:00:00 pay P1 12.30
totals 2026-03-01 2 24.60 0
clock 2026-03-02 10:00:00
tend
want 2026-03-01 differing summary/2026-03-01/open

story a payment at the last second is billed on the next day
ours payment P1 12.30 done 2026-03-01 23:59:59
bill 2026-03-02 00:00:00 pay P1 12.30
clock 2026-03-02 10:00:00
tend
want 2026-03-01 differing missing-bill/payment/P1/open
clock 2026-03-03 10:00:00
tend
want 2026-03-02 balanced
want 2026-03-01 resolved missing-bill/payment/P1/healed
again 2026-03-01
tend
want 2026-03-01 balanced missing-bill/payment/P1/healed

story the same, with the later day matched first
answer 2026-03-01 creating
ours payment P1 12.30 done 2026-03-01 23:59:59
bill 2026-03-02 00:00:00 pay P1 12.30
clock 2026-03-02 10:00:00
tend
want 2026-03-01 waiting
answer 2026-03-02 normal
clock 2026-03-03 10:00:00
tend
want 2026-03-01 waiting
want 2026-03-02 balanced
answer 2026-03-01 normal
clock 2026-03-03 10:30:00
tend
want 2026-03-01 balanced

story a line billed at home and on the next day is doubled there, whichever day is matched first
ours payment P1 12.30 done 2026-03-01 23:59:59
bill 2026-03-01 23:59:59 pay P1 12.30
bill 2026-03-02 00:00:00 pay P1 12.30
clock 2026-03-02 10:00:00
tend
want 2026-03-01 balanced
clock 2026-03-03 10:00:00
tend
want 2026-03-01 balanced
want 2026-03-02 differing doubled/payment/P1/open
again 2026-03-01
tend
want 2026-03-01 balanced
want 2026-03-02 differing doubled/payment/P1/open

story and with the later day first
answer 2026-03-01 creating
ours payment P1 12.30 done 2026-03-01 23:59:59
bill 2026-03-01 23:59:59 pay P1 12.30
bill 2026-03-02 00:00:00 pay P1 12.30
clock 2026-03-02 10:00:00
tend
clock 2026-03-03 10:00:00
tend
want 2026-03-02 balanced
answer 2026-03-01 normal
clock 2026-03-03 10:30:00
tend
want 2026-03-01 balanced
want 2026-03-02 differing doubled/payment/P1/open

story a lost notification heals by itself with the second look
ours payment P1 12.30 open
bill 2026-03-01 09:00:00 pay P1 12.30
clock 2026-03-02 10:00:00
tend
want 2026-03-01 differing state/payment/P1/open
ours payment P1 12.30 done 2026-03-01 09:00:00
clock 2026-03-03 10:00:00
tend
want 2026-03-01 balanced state/payment/P1/healed

story a person explains; a second look respects it; asking again does not
ours payment P1 12.30 done 2026-03-01 09:00:00
ours payment P2 1.00 done 2026-03-01 09:00:00
bill 2026-03-01 09:00:00 pay P1 12.00
clock 2026-03-02 10:00:00
tend
want 2026-03-01 differing amount/payment/P1/open missing-bill/payment/P2/open
resolve 2026-03-01 P1 agreed with the platform
want 2026-03-01 differing amount/payment/P1/resolved missing-bill/payment/P2/open
clock 2026-03-03 10:00:00
tend
want 2026-03-01 differing amount/payment/P1/resolved missing-bill/payment/P2/open
resolve 2026-03-01 P2 paid by hand
want 2026-03-01 resolved amount/payment/P1/resolved missing-bill/payment/P2/resolved
clock 2026-03-09 10:00:00
tend
want 2026-03-01 resolved amount/payment/P1/resolved missing-bill/payment/P2/resolved
bill 2026-03-01 09:00:00 pay P2 1.00
again 2026-03-01
tend
want 2026-03-01 differing amount/payment/P1/open missing-bill/payment/P2/resolved

story a refund under way on the bill and done by us a day later
ours refund R1 3.00 open
bill 2026-03-01 20:00:00 refund:PROCESSING R1 3.00
clock 2026-03-02 10:00:00
tend
want 2026-03-01 balanced
ours refund R1 3.00 done 2026-03-02 08:00:00
clock 2026-03-03 10:00:00
tend
want 2026-03-02 balanced
again 2026-03-01
tend
want 2026-03-01 balanced
unbill 2026-03-01 R1
again 2026-03-01
tend
want 2026-03-01 balanced
again 2026-03-02
tend
want 2026-03-02 differing missing-bill/refund/R1/open

story the platform needs its time
answer 2026-03-01 creating
clock 2026-03-02 09:59:59
tend
clock 2026-03-02 10:00:00
tend
want 2026-03-01 waiting
answer 2026-03-01 normal
clock 2026-03-02 10:29:59
tend
want 2026-03-01 waiting
clock 2026-03-02 10:30:00
tend
want 2026-03-01 balanced
