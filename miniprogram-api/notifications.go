package miniprogramapi

import (
	"errors"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"guanxi/commission/withdrawal"
	"guanxi/internal/edge"
	"guanxi/internal/fault"
	"guanxi/order"
)

const maxNotification = 32 << 10

// declareNotifications puts WeChat Pay's doors on the router. They are not operations of the API: the platform
// dictates their shape, and their authority is a signature.
func (a *API) declareNotifications() {
	a.edge.Router().POST("/v1/notify/weixinpay", a.notify)
}

// notify answers success only after the fact is stored; anything else makes the platform send again. A
// notification that is forged gets a 4xx; one that is true but contradicts our books is kept as an incident on
// the order and answered with success, since repeating it would change nothing.
func (a *API) notify(c *gin.Context) {
	ctx := c.Request.Context()
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxNotification))
	if err != nil {
		a.refuseNotification(c, errNotification.Because(err))
		return
	}
	notice, err := a.notifications.Verify(ctx, c.Request.Header, body)
	if errors.Is(err, ErrNotificationKey) {
		a.refuseNotification(c, ErrNotificationKey.Because(err)) // the platform sends it again; the key may be configured by then
		return
	}
	if err != nil {
		a.refuseNotification(c, errNotification.Because(err))
		return
	}
	switch {
	case notice.Payment != nil:
		_, err = a.orders.Settle(ctx, *notice.Payment)
	case notice.Refund != nil:
		_, err = a.orders.SettleRefund(ctx, *notice.Refund)
	case notice.Payout != nil:
		_, err = a.withdrawals.Settle(ctx, *notice.Payout)
	}
	switch {
	case err == nil:
	case errors.Is(err, order.ErrPaymentMismatch), errors.Is(err, order.ErrRefundMismatch),
		errors.Is(err, order.ErrNotFound), errors.Is(err, order.ErrRefundNotFound),
		errors.Is(err, withdrawal.ErrNotFound), errors.Is(err, withdrawal.ErrOutcomeMismatch):
		a.log.WarnContext(ctx, "notification contradicts our books", "notice", notice.ID, "error", err.Error())
		a.edge.CountFault(edge.FaultOf(err).Code)
	default:
		a.refuseNotification(c, edge.FaultOf(err))
		return
	}
	c.Status(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
}

func (a *API) refuseNotification(c *gin.Context, f *fault.Fault) {
	a.edge.CountFault(f.Code)
	a.refused.Warn(c.Request.Context(), a.log, "notification refused", "code", f.Code, "error", f.Error())
	c.AbortWithStatusJSON(edge.StatusOf(f.Kind), gin.H{"code": "FAIL", "message": f.ZH})
}
