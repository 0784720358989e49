package groupbuy

// What this domain tells others.
const (
	EventOpened   = "campaign.Opened"
	EventFormed   = "campaign.Formed"  // once per campaign: the minimum was reached
	EventClosed   = "campaign.Closed"  // no new orders; those admitted before may still be paid
	EventFailed   = "campaign.Failed"  // the minimum was missed or the host cancelled: refund everybody
	EventSettled  = "campaign.Settled" // closed, formed, and every order admitted in time is decided
	EventTaken    = "seat.Taken"
	EventLeft     = "seat.Left"
	EventStranded = "seat.Stranded" // a seat was paid in a campaign that had failed already: refund this order
)

// CampaignOpened is the body of campaign.Opened.
type CampaignOpened struct {
	Campaign  string `bson:"campaign"`
	Community string `bson:"community"`
	Host      string `bson:"host"`
}

// CampaignFormed is the body of campaign.Formed.
type CampaignFormed struct {
	Campaign string `bson:"campaign"`
}

// CampaignClosed is the body of campaign.Closed.
type CampaignClosed struct {
	Campaign string `bson:"campaign"`
}

// CampaignFailed is the body of campaign.Failed.
type CampaignFailed struct {
	Campaign string `bson:"campaign"`
	Reason   string `bson:"reason"` // "minimum", or what the host wrote when cancelling
	// Cancelled says that the host called it off.
	Cancelled bool `bson:"cancelled,omitempty"`
}

// CampaignSettled is the body of campaign.Settled.
type CampaignSettled struct {
	Campaign string `bson:"campaign"`
}

// SeatTaken is the body of seat.Taken. Formed is what was known when the seat was stored: who confirms orders must
// look at Service.Formed after noting the seat, because the campaign may form in between.
type SeatTaken struct {
	Campaign  string `bson:"campaign"`
	Community string `bson:"community"`
	Host      string `bson:"host"`
	Order     string `bson:"order"`
	Member    string `bson:"member"`
	Number    int64  `bson:"number"`
	Formed    bool   `bson:"formed"`
}

// SeatLeft is the body of seat.Left.
type SeatLeft struct {
	Campaign string `bson:"campaign"`
	Order    string `bson:"order"`
	Number   int64  `bson:"number"`
}

// SeatStranded is the body of seat.Stranded.
type SeatStranded struct {
	Campaign string `bson:"campaign"`
	Order    string `bson:"order"`
	Number   int64  `bson:"number"`
	Reason   string `bson:"reason"`
	// Cancelled says that the host called it off.
	Cancelled bool `bson:"cancelled,omitempty"`
}
