"""Which objects and fields does the org have before anyone adds some?

One line an object: name, key prefix, plural, and what is special of it. One line a field: name, type and,
after it, the length, the objects that it refers to, or the values of a picklist. Marks before a name: ``!``
must be given on create, ``-`` read only, ``+`` given on create only. Every object has the system fields too.
"""

from __future__ import annotations

_PERSON = """
-Name string 121
Salutation picklist Mr.|Ms.|Mrs.|Dr.
FirstName string 40
!LastName string 80
Email email 80
Phone phone 40
MobilePhone phone 40
Title string 128
LeadSource picklist Web|Phone Inquiry|Partner Referral|Purchased List|Other
HasOptedOutOfEmail boolean
DoNotCall boolean
IndividualId reference Individual
EmailBouncedReason string 255
EmailBouncedDate datetime
Description textarea 32000
-MasterRecordId reference {0}
-LastActivityDate date
OwnerId reference User
"""

_ADDRESS = """
{0}Street textarea 255
{0}City string 40
{0}State string 80
{0}PostalCode string 20
{0}Country string 80
{0}Latitude double
{0}Longitude double
-{0}Address address
"""

STANDARD = (
    """
# Contact 003 Contacts
AccountId reference Account
"""
    + _PERSON.format("Contact")
    + _ADDRESS.format("Mailing")
    + """
HomePhone phone 40
OtherPhone phone 40
Department string 80
Birthdate date
ReportsToId reference Contact
-IsPersonAccount boolean
# Lead 00Q Leads
"""
    + _PERSON.format("Lead")
    + _ADDRESS.format("").replace("-Address", "-Address")
    + """
!Company string 255
Status picklist Open - Not Contacted|Working - Contacted|Closed - Converted|Closed - Not Converted
Rating picklist Hot|Warm|Cold
Industry picklist Agriculture|Banking|Retail|Technology|Other
AnnualRevenue currency
NumberOfEmployees int
-IsConverted boolean
-ConvertedDate date
-ConvertedContactId reference Contact
-ConvertedAccountId reference Account
-ConvertedOpportunityId reference Opportunity
# Account 001 Accounts
!Name string 255
Type picklist Prospect|Customer|Partner|Other
Industry picklist Agriculture|Banking|Retail|Technology|Other
AnnualRevenue currency
NumberOfEmployees int
Phone phone 40
Website url 255
ParentId reference Account
OwnerId reference User
Rating picklist Hot|Warm|Cold
AccountNumber string 40
Description textarea 32000
-MasterRecordId reference Account
-LastActivityDate date
"""
    + _ADDRESS.format("Billing")
    + """
-IsPersonAccount boolean
-PersonContactId reference Contact
FirstName string 40
LastName string 80
PersonEmail email 80
PersonMailingCity string 40
PersonHasOptedOutOfEmail boolean
# Individual 0PK Individuals
FirstName string 40
!LastName string 80
-Name string 121
HasOptedOutTracking boolean
HasOptedOutProfiling boolean
HasOptedOutProcessing boolean
HasOptedOutSolicit boolean
ShouldForget boolean
SendIndividualData boolean
OwnerId reference User
-MasterRecordId reference Individual
# Opportunity 006 Opportunities
!Name string 120
AccountId reference Account
+ContactId reference Contact
Amount currency
!StageName picklist Prospecting|Qualification|Proposal/Price Quote|Negotiation/Review|Closed Won|Closed Lost
Probability percent
!CloseDate date
-IsWon boolean
-IsClosed boolean
Type picklist New Customer|Existing Customer - Upgrade
LeadSource picklist Web|Phone Inquiry|Partner Referral|Purchased List|Other
CampaignId reference Campaign
OwnerId reference User
Description textarea 32000
-LastActivityDate date
# OpportunityContactRole 00K OpportunityContactRoles
!+OpportunityId reference Opportunity
!+ContactId reference Contact
Role picklist Decision Maker|Economic Buyer|Influencer|Other
IsPrimary boolean
# OpportunityStage 01J OpportunityStages readonly
MasterLabel string 255
ApiName string 255
IsActive boolean
IsClosed boolean
IsWon boolean
DefaultProbability percent
SortOrder int
# Order 801 Orders
AccountId reference Account
OpportunityId reference Opportunity
BillToContactId reference Contact
ShipToContactId reference Contact
!EffectiveDate date
EndDate date
!Status picklist Draft|Activated
-StatusCode picklist Draft|Activated
Type picklist Online|Store
-TotalAmount currency
-OrderNumber string 30
ActivatedDate datetime
IsReductionOrder boolean
OwnerId reference User
# OrderItem 802 OrderItems
!+OrderId reference Order
Product2Id reference Product2
Quantity double
UnitPrice currency
-TotalPrice currency
Description string 255
# Product2 01t Products
!Name string 255
Family picklist None
ProductCode string 255
IsActive boolean
# Task 00T Tasks
WhoId reference Contact|Lead Who
WhatId reference Account|Opportunity|Campaign|Order What
-AccountId reference Account
Subject string 255
Status picklist Not Started|In Progress|Completed|Waiting on someone else|Deferred
Priority picklist High|Normal|Low
Type picklist Call|Meeting|Other|Email
TaskSubtype picklist Task|Email|ListEmail|Cadence|Call
CallType picklist Internal|Inbound|Outbound
ActivityDate date
CompletedDateTime datetime
Description textarea 32000
-IsClosed boolean
-IsArchived boolean
IsRecurrence boolean
OwnerId reference User
# Event 00U Events
WhoId reference Contact|Lead Who
WhatId reference Account|Opportunity|Campaign|Order What
-AccountId reference Account
Subject string 255
Type picklist Call|Meeting|Other|Email
EventSubtype picklist Event
ActivityDate date
StartDateTime datetime
EndDateTime datetime
ActivityDateTime datetime
IsAllDayEvent boolean
DurationInMinutes int
Description textarea 32000
-IsArchived boolean
IsRecurrence boolean
OwnerId reference User
# Campaign 701 Campaigns
!Name string 80
Type picklist Conference|Webinar|Email|Advertisement|Direct Mail|Other
Status picklist Planned|In Progress|Completed|Aborted
IsActive boolean
StartDate date
EndDate date
Description textarea 32000
ParentId reference Campaign
OwnerId reference User
-NumberOfContacts int
-NumberOfLeads int
-NumberOfResponses int
# CampaignMember 00v CampaignMembers
!+CampaignId reference Campaign
+ContactId reference Contact
+LeadId reference Lead
Status picklist Sent|Responded
-HasResponded boolean
-FirstRespondedDate date
# CampaignMemberStatus 01Y CampaignMemberStatuses
!+CampaignId reference Campaign
!Label string 765
SortOrder int
HasResponded boolean
IsDefault boolean
# ListView 00B ListViews readonly
Name string 80
DeveloperName string 80
SobjectType string 40
NamespacePrefix string 15
IsSoqlCompatible boolean
LastViewedDate datetime
LastReferencedDate datetime
"""
)

SET_UP = """
# User 005 Users plain
!Username string 80
!LastName string 80
FirstName string 40
Name string 121
!Email email 80
IsActive boolean
ProfileId reference Profile
UserType picklist Standard
TimeZoneSidKey string 40
LocaleSidKey string 40
DefaultCurrencyIsoCode string 3
UserPermissionsMarketingUser boolean
FederationIdentifier string 512
# Profile 00e Profiles plain
!Name string 255
PermissionsApiEnabled boolean
PermissionsViewAllData boolean
PermissionsModifyAllData boolean
PermissionsViewSetup boolean
PermissionsCustomizeApplication boolean
PermissionsModifyMetadata boolean
PermissionsManageUsers boolean
PermissionsManagePublicListViews boolean
PermissionsBulkApiHardDelete boolean
PermissionsQueryAllFiles boolean
# UserPermissionAccess 0wP UserPermissionAccesses readonly plain
PermissionsApiEnabled boolean
PermissionsViewAllData boolean
PermissionsModifyAllData boolean
PermissionsViewSetup boolean
PermissionsCustomizeApplication boolean
PermissionsModifyMetadata boolean
PermissionsManageUsers boolean
PermissionsManagePublicListViews boolean
PermissionsBulkApiHardDelete boolean
# Organization 00D Organizations readonly plain
Name string 80
IsSandbox boolean
InstanceName string 5
OrganizationType string 40
NamespacePrefix string 15
TimeZoneSidKey string 40
DefaultLocaleSidKey string 40
LanguageLocaleKey string 40
TrialExpirationDate datetime
FiscalYearStartMonth int
Country string 80
# Group 00G Groups plain
!Name string 40
DeveloperName string 80
!Type picklist Regular|Queue|Role|Organization
# PermissionSet 0PS PermissionSets plain
!Name string 80
!Label string 80
Description string 255
ProfileId reference Profile
IsOwnedByProfile boolean
PermissionsApiEnabled boolean
PermissionsViewSetup boolean
PermissionsCustomizeApplication boolean
PermissionsModifyMetadata boolean
PermissionsManageUsers boolean
PermissionsManagePublicListViews boolean
PermissionsViewAllData boolean
PermissionsModifyAllData boolean
PermissionsBulkApiHardDelete boolean
# PermissionSetAssignment 0Pa PermissionSetAssignments plain
!+AssigneeId reference User
!+PermissionSetId reference PermissionSet
# FieldPermissions 01k FieldPermissions plain
!+ParentId reference PermissionSet
!+SobjectType string 40
!+Field string 255
PermissionsRead boolean
PermissionsEdit boolean
# ObjectPermissions 110 ObjectPermissions plain
!+ParentId reference PermissionSet
!+SobjectType string 40
PermissionsRead boolean
PermissionsCreate boolean
PermissionsEdit boolean
PermissionsDelete boolean
PermissionsViewAllRecords boolean
PermissionsModifyAllRecords boolean
# RecordType 012 RecordTypes readonly plain
Name string 80
DeveloperName string 80
SobjectType string 40
IsActive boolean
IsPersonType boolean
# CurrencyType 01L CurrencyTypes readonly plain
IsoCode string 3
ConversionRate double
DecimalPlaces int
IsActive boolean
IsCorporate boolean
# DatedConversionRate 04w DatedConversionRates readonly plain
IsoCode string 3
ConversionRate double
StartDate date
NextStartDate date
# FlowDefinitionView 3dd FlowDefinitionViews readonly plain
ApiName string 255
Label string 255
ProcessType string 40
TriggerType string 40
TriggerObjectOrEventId string 40
TriggerObjectOrEventLabel string 80
RecordTriggerType string 40
IsActive boolean
DurableId string 40
# DuplicateRule 0Bm DuplicateRules readonly plain
MasterLabel string 80
DeveloperName string 80
SobjectType string 40
IsActive boolean
# EntityDefinition 4ie EntityDefinitions readonly plain
QualifiedApiName string 80
DurableId string 40
Label string 80
KeyPrefix string 3
IsCustomizable boolean
# FieldDefinition 4fe FieldDefinitions readonly plain
QualifiedApiName string 80
EntityDefinitionId string 40
Label string 80
DataType string 80
Length int
Description string 1000
"""

TOOLING = """
# CustomField 00N CustomFields plain tooling
DeveloperName string 80
TableEnumOrId string 40
NamespacePrefix string 15
Description string 1000
InlineHelpText string 510
FullName string 121
Metadata json
EntityDefinitionId string 40
# ApexTrigger 01q ApexTriggers plain tooling
Name string 80
TableEnumOrId string 40
Status picklist Active|Inactive
Body textarea 1000000
UsageBeforeUpdate boolean
UsageAfterUpdate boolean
UsageBeforeInsert boolean
UsageAfterInsert boolean
EntityDefinitionId string 40
# MetadataComponentDependency 000 MetadataComponentDependencies readonly plain tooling
MetadataComponentId string 18
MetadataComponentName string 255
MetadataComponentType string 80
MetadataComponentNamespace string 15
RefMetadataComponentId string 18
RefMetadataComponentName string 255
RefMetadataComponentType string 80
# ValidationRule 03d ValidationRules plain tooling
ValidationName string 80
EntityDefinitionId string 40
Active boolean
ErrorMessage string 255
Description string 1000
# WorkflowRule 01Q WorkflowRules plain tooling
Name string 80
TableEnumOrId string 40
# Flow 301 Flows plain tooling
MasterLabel string 255
DefinitionId string 40
Status picklist Active|Draft|Obsolete
ProcessType string 40
Metadata json
# ListViewTooling 00C ListViewsTooling plain tooling
Name string 80
"""
