"""What pages share: the session's data, the levers, the cards. With the pages, all that knows Streamlit."""
