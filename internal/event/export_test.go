package event

// Die makes the relay abandon its work, as a killed process would, at the first step boundary where now says so,
// and at every one after it.
func (r *Relay) Die(now func(point string) bool) {
	r.at = func(point string) error {
		if now(point) {
			return errAbandoned
		}
		return nil
	}
}

// WaitShut returns once Stop lets nobody in any more.
func (r *Relay) WaitShut() { <-r.quit }

// WaitEnd returns once every goroutine of the relay has ended, after a Stop that did not wait for it.
func (r *Relay) WaitEnd() {
	r.sweeper.Wait()
	r.lanes.all.Wait()
	r.retirers.Wait()
}
