//! How each view and each input stands in XML and in Protocol Buffers; in JSON they stand as they are.

use quire_app::{
    comments::{CommentReplacement, CommentStatusReplacement, CommentView, NewComment},
    follows::FollowView,
    page::PageView,
    posts::{PostListItem, PostView},
    reactions::ReactionView,
    sessions::{NewSession, SessionView},
    users::{NewUser, UserView},
};
use quire_domain::post::Draft;
use quire_proto::v1;

use crate::problem::ProblemView;

/// What goes over the wire in several forms. They agree: each is made from, or read into, the members of the JSON form.
pub trait Wire {
    /// The root element in XML.
    const ELEMENT: &'static str;
    /// The message in Protocol Buffers.
    type Message: quire_proto::Document;
}

macro_rules! wire {
    ($($type:ty => $element:literal, $message:ty;)*) => {$(
        impl Wire for $type {
            const ELEMENT: &'static str = $element;
            type Message = $message;
        }
    )*};
}

wire! {
    NewUser => "user", v1::NewUser;
    UserView => "user", v1::User;
    NewSession => "session", v1::NewSession;
    SessionView => "session", v1::Session;
    Draft => "post", v1::NewPost;
    PostView => "post", v1::Post;
    PageView<PostListItem> => "page", v1::PostPage;
    NewComment => "comment", v1::NewComment;
    CommentView => "comment", v1::Comment;
    PageView<CommentView> => "page", v1::CommentPage;
    CommentReplacement => "comment", v1::CommentReplacement;
    CommentStatusReplacement => "comment", v1::CommentStatusReplacement;
    PageView<ReactionView> => "page", v1::ReactionPage;
    PageView<FollowView> => "page", v1::FollowPage;
    ProblemView<'_> => "problem", v1::Problem;
}
