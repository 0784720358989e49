package weixin

// UploadTime is uploadTime for the tests.
var UploadTime = uploadTime
